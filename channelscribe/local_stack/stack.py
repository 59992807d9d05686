"""A command's side of the local stack: ask for services, wait until they answer, hear of their end, let go."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from channelscribe.errors import EngineDied, StackError
from channelscribe.local_stack.places import Places, places_of
from channelscribe.local_stack.services import POOLS, STACKS, Addresses, StackOptions, digest
from channelscribe.project import FOLDER, environment, python

if TYPE_CHECKING:
    from channelscribe.settings import Settings

START_SECONDS = 180.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 5.0
FOREIGN_SETTINGS = re.compile(r"AWS_.*|HF_TOKEN|HF_ENDPOINT|(?i:https?_proxy|all_proxy|no_proxy)")
"""Environment variables that decide what workers reach, and as whom."""


class LocalStack:
    """Services for the length of a `with` block: `addresses` at once, answering after `wait_ready()`.

    `want` names stacks: "database", "prefect", "dask" (a scheduler and the CPU workers), "speech" (its worker) and
    "pools". Those whose address is in the settings are used where they are; they are looked at before anything is
    started. `start` asks for more later. `told(name, seconds)` hears of each one that is ready; `lost(error)`, in a
    thread of its own, when the supervisor went away or a service did not come back: what waits for it waits for ever.
    """

    def __init__(
        self,
        settings: Settings,
        want: Sequence[str] = ("database", "prefect", "dask", "speech"),
        *,
        command: str = "",
        told: Callable[[str, float], None] | None = None,
        lost: Callable[[EngineDied], None] | None = None,
    ) -> None:
        database = settings.database.url
        self.addresses = Addresses(
            database.get_secret_value() if database else None, settings.prefect.api_url, settings.dask.scheduler
        )
        self.settings = settings
        self.want: list[str] = []
        self.command = command
        self.told = told or (lambda name, seconds: None)
        self.lost = lost or (lambda error: None)
        self.places: Places = places_of(settings.data_dir)
        self.shared_with: list[dict[str, Any]] = []
        self._first = list(want)
        self._given = self.addresses
        self._connection: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._replies: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lock = threading.RLock()
        self._died: EngineDied | None = None
        self._waiting = 0
        self._ready: set[str] = set()

    def __enter__(self) -> LocalStack:
        self.look_at_given(*self._first)
        self.places.create()
        try:
            self.start(*self._first)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, *names: str) -> Addresses:
        """Have these stacks started, if they are not yet; returns all addresses, before they answer. Raises StackError.

        The same settings share what runs on the data folder; others are refused while somebody uses it.
        """
        with self._lock:
            more = [name for name in STACKS if name in names and name not in self.want and not self._is_given(name)]
            if more:
                with self._waited_for():
                    self._ask_for(more)
                self.want += more
            return self.addresses

    @contextlib.contextmanager
    def _waited_for(self) -> Iterator[None]:
        """What is lost meanwhile is raised here, and not told to `lost`."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def wait_ready(self, names: Sequence[str] | None = None) -> None:
        """Block until the stacks answer: those of `names`, or all.

        Raises StackError, naming address and log, when one does not.
        """
        waits: dict[str, Callable[[], bool]] = {
            "database": self._database_answers,
            "prefect": self._prefect_answers,
            "dask": self._dask_answers,
            "speech": lambda: True,  # tasks wait for it in the scheduler
            "pools": self._pools_answer,
        }
        began = time.monotonic()
        waiting = [name for name in self.want if name not in self._ready and name in (names or self.want)]
        with self._waited_for():
            while waiting:
                for name in [name for name in waiting if waits[name]()]:
                    waiting.remove(name)
                    self._ready.add(name)
                    self._ask({"answered": [name]})  # from now on it is started again when it dies
                    self.told(name, time.monotonic() - began)
                self._raise_what_died()
                if waiting and time.monotonic() - began > START_SECONDS:
                    raise StackError(
                        f"The local stack's {waiting[0]} was not ready after {START_SECONDS:.0f} s.",
                        remedy=f"The logs are in {self.places.logs}; `channelscribe doctor` checks what is needed.",
                    )
                if waiting:
                    time.sleep(0.05)

    def close(self) -> None:
        """Let go; when this was the last command, return only after every service has stopped."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(OSError):
            connection.sendall(b'{"bye": true}\n')
        if self._reader is not None:
            self._reader.join(STOP_SECONDS)
        connection.close()

    # What the settings say is elsewhere

    def _is_given(self, stack: str) -> bool:
        given = {"database": self._given.database_url, "prefect": self._given.prefect_api_url}
        return given.get(stack, self._given.scheduler if stack in ("dask", "speech") else None) is not None

    def look_at_given(self, *stacks: str) -> None:
        """Raises StackError when a server that the settings name does not answer."""
        if "prefect" in stacks and self._given.prefect_api_url is not None:
            _look_at_prefect(self._given.prefect_api_url)
        if "dask" in stacks and self._given.scheduler is not None and not self._dask_answers():
            raise StackError(
                f"Nothing answers at dask.scheduler, {self._given.scheduler}.",
                remedy="Start the scheduler, or correct the setting (empty: a local cluster).",
            )

    # The supervisor

    def _ask_for(self, stacks: list[str]) -> None:
        from channelscribe.settings.prefect_profile import access_of  # with it comes pydantic

        message = {
            "want": stacks,
            "who": {"pid": os.getpid(), "command": self.command},
            "options": asdict(self._options()),
            "settings": _digests(self.settings),
            "environment": environment(
                {
                    FOLDER: os.environ.get(FOLDER) or str(Path.cwd()),
                    **access_of(self._given.prefect_api_url, os.environ),
                }
            ),
        }
        for attempt in range(3):
            if self._connection is None:
                self._connect()
            try:
                reply = self._ask(message)
                break
            except EngineDied:
                # It was about to stop when we came.
                if attempt == 2 or self.want:
                    raise
                self.close()
        self.shared_with = reply["commands"]
        found = {name: value for name, value in reply["addresses"].items() if value is not None}
        given = {name: value for name, value in asdict(self._given).items() if value is not None}
        self.addresses = replace(self.addresses, **{**found, **given})

    def _options(self) -> StackOptions:
        dask = self.settings.dask
        return StackOptions(
            cpu_workers=dask.cpu_workers,
            cpu_worker_threads=dask.cpu_worker_threads,
            concurrent_downloads=self.settings.sources.concurrent_downloads,
            speech_threads=self.settings.speech.threads,
            idle_minutes=dask.idle_minutes,
            log_level=self.settings.log_level,
            database_url=self._given.database_url,
            prefect_api_url=self._given.prefect_api_url,
            prefect_port=self.settings.prefect.port,
            room_port=int(self.settings.web.listen.rpartition(":")[2] or 0),
            scheduler=self._given.scheduler,
        )

    def _connect(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        supervisor: subprocess.Popen[bytes] | None = None
        while True:
            connection = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(OSError):
                connection.connect(str(self.places.socket))
                break
            connection.close()
            ended = supervisor and supervisor.poll()
            if ended or time.monotonic() > deadline:
                log = self.places.log("supervisor")
                raise StackError(f"The supervisor of {self.places.data} did not start.", remedy=f"Its log is {log}.")
            if supervisor is None or ended == 0:  # 0: another one had the folder just now
                supervisor = self._start_supervisor()
            time.sleep(0.02)
        self._connection, self._died, self._replies = connection, None, queue.Queue()
        self._reader = threading.Thread(target=self._hear, args=(connection,), name="local-stack", daemon=True)
        self._reader.start()

    def _start_supervisor(self) -> subprocess.Popen[bytes]:
        argv = python("-m", "channelscribe.local_stack.supervisor", str(self.places.data))
        with self.places.log("supervisor").open("ab") as log:
            return subprocess.Popen(
                argv,
                cwd=self.places.standing,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _hear(self, connection: socket.socket) -> None:
        """The supervisor's answers, and what it tells unasked."""
        why = "it was killed"
        with contextlib.suppress(OSError), connection.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "lost" in message:
                    where = f" ({message['where']})" if message["where"] else ""
                    what = "does not come back" if message["was_up"] else "stopped while starting"
                    last = f": {message['last_words']}" if message["last_words"] else ""
                    self._lose(f"The service {message['lost']}{where} {what}{last}", message["log"])
                elif "stopping" in message:
                    why = message["stopping"]
                    break
                else:
                    self._replies.put(message)
        if self._connection is connection:
            log = str(self.places.log("supervisor"))
            self._lose(f"The services of this command went away with their supervisor: {why}", log)
        with contextlib.suppress(OSError):
            # Where we let go and were the last command, this is until everything has stopped.
            while connection.recv(65536):
                pass
        self._replies.put(None)

    def _lose(self, what: str, log: str) -> None:
        self._died = EngineDied(f"{what.rstrip('.')}.", remedy=f"Its log is {log}; run the command again.")
        self._replies.put(None)
        if not self._waiting:
            self.lost(self._died)

    def _raise_what_died(self) -> None:
        if self._died is not None:
            raise self._died

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._raise_what_died()
            if self._connection is None:
                raise StackError("The local stack is not joined.")
            try:
                self._connection.sendall(json.dumps(message).encode() + b"\n")
                reply = self._replies.get(timeout=START_SECONDS)
            except (OSError, queue.Empty):
                reply = None
            if reply is None:
                self._raise_what_died()
                log = self.places.log("supervisor")
                raise EngineDied("The supervisor of the local stack does not answer.", remedy=f"Its log is {log}.")
            if "error" in reply:
                raise StackError(reply["error"], remedy=reply["remedy"])
            return reply

    # Whether they answer

    def _database_answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.addresses.database_url or "", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _prefect_answers(self) -> bool:
        return _answer_of(f"{self.addresses.prefect_api_url}/health") is not None

    def _pools_answer(self) -> bool:
        """Whether each pool has a worker that the server heard of; the reading room comes with them."""
        return all(self._worker_is_online(pool) for pool in POOLS) and self._room_answers()

    def _room_answers(self) -> bool:
        return _answer_of(f"{self.addresses.room_url}health") is not None

    def _worker_is_online(self, pool: str) -> bool:
        answer = _answer_of(f"{self.addresses.prefect_api_url}/work_pools/{pool}/workers/filter", b"{}")
        return any(worker["status"] == "ONLINE" for worker in json.loads(answer or b"[]"))

    def _dask_answers(self) -> bool:
        # Only the scheduler: the workers announce themselves to it while the flow starts, and tasks wait there.
        host, _, port = (self.addresses.scheduler or "").rpartition("//")[2].partition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except (OSError, ValueError):
            return False
        return True


def needed(settings: Settings, *names: str) -> Addresses:
    """The addresses of these stacks, answering: started for this process where they are not, for as long as it lives.

    For a flow that comes to a step which needs workers, on the command line (`of_runs`) or in a process of a work pool,
    which `lost` ends (`end_process`). Raises StackError.
    """
    with _joining:
        if not _of_runs:
            _of_runs.append(LocalStack(settings, (), command="a flow run", lost=end_process).__enter__())
        _of_runs[-1].start(*names)
        _of_runs[-1].wait_ready(names)
        return _of_runs[-1].addresses


@contextlib.contextmanager
def of_runs(stack: LocalStack) -> Iterator[None]:
    """Have the runs of this process take what they need of this stack."""
    _of_runs.append(stack)
    try:
        yield
    finally:
        _of_runs.remove(stack)


_joining = threading.Lock()
_of_runs: list[LocalStack] = []


def end_process(error: EngineDied) -> None:
    """Say what went away, and end with 1, whatever the main thread waits for: it would wait for ever.

    Nothing has to be put in order: the next run gives back what this one had begun, as after `kill -9`.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.write(f"\nchannelscribe: {error}\n")
        sys.stderr.flush()
    os._exit(1)


def running_addresses(settings: Settings) -> Addresses:
    """Where things answer now, for those who only look: starts nothing, and keeps nothing running.

    The addresses of the settings, and those of the local stack on this data folder where it runs.
    """
    database = settings.database.url.get_secret_value() if settings.database.url else None
    there = Addresses()
    with socket.socket(socket.AF_UNIX) as supervisor, contextlib.suppress(OSError):
        supervisor.settimeout(LOOK_SECONDS)
        supervisor.connect(str(places_of(settings.data_dir).socket))
        supervisor.sendall(b"{}\n")
        answer = supervisor.makefile("rb").readline()
        there = Addresses(**json.loads(answer)["addresses"]) if answer else there
    return Addresses(
        database or there.database_url,
        settings.prefect.api_url or there.prefect_api_url,
        settings.dask.scheduler or there.scheduler,
    )


def _answer_of(url: str, body: bytes | None = None) -> bytes | None:
    """What a service of ours says at an address; None while it says nothing good."""
    import urllib.request  # not for those who only need the database

    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310
            return bytes(answer.read()) if answer.status == 200 else None
    except (OSError, ValueError):
        return None


def _look_at_prefect(api_url: str) -> None:
    """Raises StackError where no Prefect API answers. What answers in other ways is for Prefect's own client."""
    import ssl
    import urllib.error
    import urllib.request

    api_url = re.sub("//[^/@]*@", "//", api_url)  # a password is not needed to look, and not shown
    for attempt in range(2):
        why = ""
        try:
            with urllib.request.urlopen(f"{api_url.rstrip('/')}/health", timeout=LOOK_SECONDS):  # noqa: S310
                return
        except urllib.error.HTTPError as error:
            if error.code != 404 or "/workspaces/" in api_url:  # Prefect Cloud has no such address
                return
            why = "what is there is no Prefect API (404)"
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLError):
                return
            why = str(reason)
        if attempt == 0:
            time.sleep(1)  # it may be starting again
    raise StackError(
        f"The Prefect server at {api_url} does not answer: {why}.",
        remedy="Start it, or correct prefect.api_url or what Prefect is set to (PREFECT_API_URL, its profile); "
        "with CHANNELSCRIBE_PREFECT__API_URL= a local server is started for this run.",
    )


def _digests(settings: Settings) -> dict[str, str]:
    """What workers work with and no run brings along, as digests: two commands with the same share workers."""
    from channelscribe.settings.travel import own_values

    values = own_values(settings)
    values |= {name: value for name, value in environment().items() if FOREIGN_SETTINGS.fullmatch(name)}
    return {name: digest(value) for name, value in values.items()}
