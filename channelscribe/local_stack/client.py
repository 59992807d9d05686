"""A command's side of the laptop stack: ask the keeper for services, wait until they answer, let go at the end."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from channelscribe.errors import StackError
from channelscribe.local_stack.places import Places, places_of
from channelscribe.local_stack.services import POOLS, Addresses, StackOptions
from channelscribe.project import FOLDER, environment, python
from channelscribe.settings import Settings

START_SECONDS = 180.0
STOP_SECONDS = 30.0


class KeeperGoneError(StackError):
    """The keeper closed the connection: it stopped, or was killed."""


class LocalStack:
    """Services for the length of a `with` block: `addresses` at once, answering after `wait_ready()`.

    `want` names stacks: "database", "prefect", "dask". Those whose address is already in the settings are used
    where they are and not started. `told(name, seconds)` hears of each one that is ready.
    """

    def __init__(
        self,
        settings: Settings,
        want: Sequence[str] = ("prefect", "database", "dask"),
        *,
        command: str = "",
        told: Callable[[str, float], None] | None = None,
    ) -> None:
        given = {
            "database": settings.database.url is not None,
            "prefect": settings.prefect.api_url is not None,
            "dask": settings.dask.scheduler is not None,
            "pools": False,
        }
        self.settings = settings
        self.want = [name for name in want if not given[name]]
        self.command = command
        self.told = told or (lambda name, seconds: None)
        self.places: Places = places_of(settings.data_dir)
        self.shared_with: list[dict[str, Any]] = []
        self.addresses = self._given_addresses()
        self._connection: socket.socket | None = None
        self._started = time.monotonic()
        self._ready: set[str] = set()

    def __enter__(self) -> LocalStack:
        self.places.create()
        if self.want:
            try:
                self._join()
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go; when this was the last command, return only after every service has stopped."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(OSError):
            connection.settimeout(STOP_SECONDS)
            connection.sendall(b'{"bye": true}\n')
            while connection.recv(65536):
                pass
        connection.close()

    def _given_addresses(self) -> Addresses:
        database = self.settings.database.url
        return Addresses(
            database.get_secret_value() if database else None,
            self.settings.prefect.api_url,
            self.settings.dask.scheduler,
        )

    def _join(self) -> None:
        """Have the services started; their addresses are known at once, before they answer."""
        self._started = time.monotonic()
        message = {"want": self.want, "who": {"pid": os.getpid(), "command": self.command}}
        for attempt in range(3):
            self._connection = self._connect()
            try:
                reply = self._ask(message)
                break
            except KeeperGoneError:
                # It was about to stop when we came.
                if attempt == 2:
                    raise
        self.shared_with = reply["commands"]
        found = {k: v for k, v in reply["addresses"].items() if v is not None}
        self.addresses = replace(self.addresses, **found)

    def wait_ready(self, names: Sequence[str] | None = None) -> None:
        """Block until the stacks answer: those of `names`, or all.

        Raises StackError, naming the log to look into, when one does not.
        """
        waits: dict[str, Callable[[], bool]] = {
            "database": self._database_answers,
            "prefect": self._prefect_answers,
            "dask": self._dask_answers,
            "pools": self._pools_answer,
        }
        waiting = [name for name in self.want if name not in self._ready and name in (names or self.want)]
        while waiting:
            for name in [name for name in waiting if waits[name]()]:
                waiting.remove(name)
                self._ready.add(name)
                self._ask({"answered": [name]})  # from now on the keeper starts it again when it dies
                self.told(name, time.monotonic() - self._started)
            self._check(waiting, self._started)
            if waiting:
                time.sleep(0.05)

    def _check(self, waiting: list[str], started: float) -> None:
        """Raise when a service ended or took too long; both name the log to look into."""
        if not waiting:
            return
        exited = self._ask({})["exited"]
        late = time.monotonic() - started > START_SECONDS
        if exited or late:
            name = exited[0] if exited else waiting[0]
            what = "stopped while starting" if exited else f"was not ready after {START_SECONDS:.0f} s"
            raise StackError(
                f"The service {name} {what}.",
                remedy=f"Its log is {self.places.logs / name}.log; `channelscribe doctor` checks what is needed.",
            )

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + STOP_SECONDS
        keeper: subprocess.Popen[bytes] | None = None
        while time.monotonic() < deadline:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.places.socket))
                connection.settimeout(START_SECONDS)
                return connection
            except OSError:
                connection.close()
            if keeper is None or keeper.poll() is not None:
                keeper = self._start_keeper()
            time.sleep(0.05)
        raise StackError(
            f"The keeper of {self.places.data} did not answer.",
            remedy=f"Its log is {self.places.logs / 'keeper.log'}.",
        )

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        dask, database = self.settings.dask, self.addresses.database_url
        options = StackOptions(
            data_dir=str(self.places.data),
            cpu_workers=dask.cpu_workers,
            cpu_worker_threads=dask.cpu_worker_threads,
            concurrent_downloads=self.settings.sources.concurrent_downloads,
            speech_threads=self.settings.speech.threads,
            log_level=self.settings.log_level,
            database_url=database,
            prefect_api_url=self.addresses.prefect_api_url,
            prefect_port=self.settings.prefect.port,
        )
        with (self.places.logs / "keeper.log").open("ab") as log:
            keeper = subprocess.Popen(
                python("-m", "channelscribe.local_stack.keeper"),
                cwd=self.places.standing,
                env=environment({FOLDER: os.environ.get(FOLDER) or str(Path.cwd())}),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # Not as an argument: the database's address may hold a password, and arguments are seen by all.
        if keeper.stdin:
            keeper.stdin.write(json.dumps(asdict(options)).encode())
            keeper.stdin.close()
        return keeper

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        connection = self._connection
        if connection is None:
            raise StackError("The laptop stack is not joined.")
        try:
            connection.sendall(json.dumps(message).encode() + b"\n")
            received = b""
            while not received.endswith(b"\n"):
                data = connection.recv(65536)
                if not data:
                    raise ConnectionResetError
                received += data
        except OSError:
            raise KeeperGoneError(
                "The keeper of the laptop stack went away.",
                remedy=f"Run the command again; the log is {self.places.logs / 'keeper.log'}.",
            ) from None
        reply: dict[str, Any] = json.loads(received)
        if "error" in reply:
            raise StackError(f"The laptop stack did not start: {reply['error']}.", remedy=reply["remedy"])
        return reply

    def _database_answers(self) -> bool:
        try:
            psycopg.connect(self.addresses.database_url or "", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _prefect_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.addresses.prefect_api_url}/health", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _pools_answer(self) -> bool:
        """Whether each pool has a worker that the server heard of."""
        return all(self._worker_is_online(pool) for pool in POOLS)

    def _worker_is_online(self, pool: str) -> bool:
        url = f"{self.addresses.prefect_api_url}/work_pools/{pool}/workers/filter"
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})  # noqa: S310 - our own server
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310
                return any(worker["status"] == "ONLINE" for worker in json.load(answer))
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def _dask_answers(self) -> bool:
        # Only the scheduler: the workers announce themselves to it while the flow starts, and tasks wait there.
        host, _, port = (self.addresses.scheduler or "").rpartition("//")[2].partition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError:
            return False
        return True
