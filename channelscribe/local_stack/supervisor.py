"""The supervisor: one small process a data folder that owns the services of the local stack.

    python -P -m channelscribe.local_stack.supervisor DATA_DIR

Commands connect to its Unix socket, say in lines of JSON what they need, and keep the connection for as long as they
live. The kernel closes it however a command ends, so the supervisor always knows who is left; with nobody left it stops
every service and goes. It runs in a session of its own: Ctrl-C in the terminal reaches the command, not the services.

A service that died is started again, later each time; one that never answered, or died too often, is told to the
commands that use it. Dask's services that no command needs any more end after `dask.idle_minutes`. If the supervisor
itself is killed, the kernel signals its children (Linux), commands see their connection close, and the next supervisor
stops what is still there.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import psutil

from channelscribe.errors import StackError
from channelscribe.local_stack import postgres
from channelscribe.local_stack.places import Places
from channelscribe.local_stack.services import (
    STACKS,
    WORKERS,
    Addresses,
    Service,
    StackOptions,
    dask_services,
    digest,
    pool_workers,
    prefect_environment,
    prefect_server,
    reading_room,
    speech_worker,
)

__all__ = ["Process", "Supervisor", "die_with_parent", "stop"]

NOBODY_CAME_SECONDS = 30.0
STOP_SECONDS = 2.0
DATABASE_STOP_SECONDS = 20.0
LONGEST_LOG = 10_000_000  # bytes; longer ones are put aside when their service starts
FIRST_WAIT_SECONDS = 0.5
STEADY_SECONDS = 15.0
"""A process that lived so long is not in a row with the deaths before it."""
MOST_DEATHS = 7  # in a row; the last wait is a minute after the first: a killed PostgreSQL's backends are gone by then
MOST_DEATHS_OF_WORKERS = 24
"""A video that kills its worker does so eight times; three such videos in a row are no reason to stop."""
PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Process:
    """A service's process, and its deaths before. Times are of `time.monotonic`."""

    service: Service
    stack: str
    environment: dict[str, str]
    popen: subprocess.Popen[bytes] = field(init=False)
    answered: bool = False
    began: float = 0.0
    deaths: int = 0
    again_at: float | None = None  # when it is started again, while it is dead
    told: bool = False  # that it will not be
    log_begins: int = 0  # bytes of its log that are older than this process

    def start(self, places: Places) -> None:
        log = places.log(self.service.name)
        with contextlib.suppress(OSError):
            if log.stat().st_size > LONGEST_LOG:
                log.replace(log.with_name(f"{log.name}.1"))
        with log.open("ab") as output:
            self.log_begins = output.tell()
            self.popen = spawn(self.service, places, self.environment, output)
        self.began, self.again_at = time.monotonic(), None

    def last_words(self, places: Places) -> str:
        """The last line that this process wrote."""
        with contextlib.suppress(OSError), places.log(self.service.name).open("rb") as log:
            log.seek(self.log_begins)
            lines = log.read()[-4000:].decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]
        return ""

    def is_hopeless(self) -> bool:
        """Whether it is dead, and will not be started again."""
        if self.popen.poll() is None:
            return False
        most = MOST_DEATHS_OF_WORKERS if self.service.is_worker else MOST_DEATHS
        return not (self.answered or self.service.is_worker) or self.deaths > most

    def is_due(self, now: float) -> bool:
        """Whether it is dead and to be started again now."""
        if self.popen.poll() is None or self.is_hopeless():
            return False
        if self.again_at is None:
            self.deaths = 1 if now - self.began > STEADY_SECONDS else self.deaths + 1
            doublings = 0 if self.service.is_worker else self.deaths - 1
            self.again_at = now + FIRST_WAIT_SECONDS * 2**doublings
        return now >= self.again_at


@dataclass(slots=True)
class Client:
    """One connected command: who it is, and the stacks that it uses."""

    connection: socket.socket
    received: bytes = b""
    who: dict[str, Any] = field(default_factory=dict)
    wants: set[str] = field(default_factory=set)

    def send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self.connection.sendall(json.dumps(message).encode() + b"\n")


class Supervisor:
    """Starts services on demand, counts the commands that use them, stops all after the last one."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.processes: dict[str, Process] = {}
        self.addresses = Addresses()
        self.clients: dict[int, Client] = {}
        self.selector = selectors.DefaultSelector()
        self.settings: dict[str, str] = {}  # digests of what the workers work with
        self.idle_since: float | None = None
        self.idle_seconds = 0.0
        self.stopping: str | None = None  # why

    def serve(self) -> None:
        """Answer commands until the last one has gone."""
        listener = self._listen()
        deadline = time.monotonic() + NOBODY_CAME_SECONDS
        try:
            while self.stopping is None:
                for key, _ in self.selector.select(timeout=0.5):
                    if key.fileobj is listener:
                        self._welcome(listener)
                    else:
                        self._hear(self.clients[key.fd])
                self._look_after()
                if self.clients:
                    deadline = time.monotonic()
                elif time.monotonic() >= deadline:
                    break
        finally:
            # The socket goes first, so that a command that comes now starts a supervisor of its own, which waits.
            listener.close()
            self.places.socket.unlink(missing_ok=True)
            for client in self.clients.values():
                client.send({"stopping": self.stopping or "it failed"})
            self._stop_all()
            for client in self.clients.values():
                client.connection.close()

    # Commands

    def _listen(self) -> socket.socket:
        self.places.socket.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            listener.bind(str(self.places.socket))
        finally:
            os.umask(mask)
        listener.listen()
        self.selector.register(listener, selectors.EVENT_READ)
        return listener

    def _welcome(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        self.clients[connection.fileno()] = Client(connection)
        self.selector.register(connection, selectors.EVENT_READ)

    def _hear(self, client: Client) -> None:
        try:
            data = client.connection.recv(65536)
        except OSError:
            data = b""
        client.received += data
        if not data:
            self._forget(client)
        while b"\n" in client.received:
            line, client.received = client.received.split(b"\n", 1)
            self._answer(client, json.loads(line))

    def _answer(self, client: Client, message: dict[str, Any]) -> None:
        if message.get("bye"):
            if len(self.clients) > 1:
                self._forget(client)
            else:
                # The last command waits until everything has stopped, so that nothing outlives it.
                self.stopping = "the last command ended"
            return
        client.who = message.get("who", client.who)
        for process in self.processes.values():
            process.answered |= process.stack in message.get("answered", ())
        try:
            self._start_what(client, message)
            reply: dict[str, Any] = {"addresses": self.addresses.to_dict()}
        except Exception as error:
            # Whatever it was, the command must hear of it: it prints one line and ends.
            reply = {"error": str(error) or type(error).__name__, "remedy": ""}
            if isinstance(error, StackError):
                reply = {"error": error.message, "remedy": error.remedy}
        reply["commands"] = [other.who for other in self.clients.values() if other is not client]
        client.send(reply)

    def _forget(self, client: Client) -> None:
        self.selector.unregister(client.connection)
        del self.clients[client.connection.fileno()]
        client.connection.close()
        if not self._is_wanted("pools"):
            self._stop_stacks("pools")  # runs are started only as long as somebody wants that

    def _is_wanted(self, *stacks: str) -> bool:
        return any(client.wants.intersection(stacks) for client in self.clients.values())

    # Services

    def _start_what(self, client: Client, message: dict[str, Any]) -> None:
        """What the message wants, in the order that one needs the other. Raises StackError."""
        want = [stack for stack in STACKS if stack in message.get("want", ())]
        if WORKERS.intersection(want):
            self._agree(client, message["settings"])
        for stack in want:
            client.wants.add(stack)
            there = [process for process in self.processes.values() if process.stack == stack]
            if any(process.is_hopeless() for process in there):
                self._stop_stacks(stack)  # who comes later may try again
                there = []
            if not there:
                self._start_stack(stack, StackOptions(**message["options"]), message["environment"])

    def _agree(self, client: Client, settings: dict[str, str]) -> None:
        """Workers have one set of settings: that of the command that started them, while anybody uses them."""
        ours = {digest(address) for address in self.addresses.to_dict().values() if address}
        names = sorted(
            name
            for name in {*settings, *self.settings}
            if settings.get(name) != self.settings.get(name) and settings.get(name) not in ours
        )
        users = [other for other in self.clients.values() if other is not client and other.wants & WORKERS]
        if names and users:
            who = ", ".join(f"`{user.who.get('command')}` (process {user.who.get('pid')})" for user in users)
            raise StackError(
                f"{who} runs on {self.places.data} with other settings: {', '.join(names)}.",
                remedy="Give both the same, wait until the other one has ended, or set data_dir to another folder.",
                reason="other_settings",
            )
        if names:
            self._stop_stacks(*WORKERS)
        if not users:
            self.settings = settings

    def _start_stack(self, stack: str, options: StackOptions, environment: dict[str, str]) -> None:
        self.idle_seconds = options.idle_minutes * 60
        services: list[Service] = []
        if stack == "database":
            self._database()
        elif stack == "prefect":
            url = self._database().url_of("prefect") if postgres.is_installed() else None
            service, api_url = prefect_server(self.places, options.prefect_port, url)
            self.addresses = replace(self.addresses, prefect_api_url=api_url)
            services = [service]
        elif stack == "dask":
            services, scheduler = dask_services(self.places, options, self._worker_environment(options))
            self.addresses = replace(self.addresses, scheduler=scheduler)
        elif stack == "speech":
            scheduler = self.addresses.scheduler or ""
            services = [speech_worker(self.places, options, self._worker_environment(options), scheduler)]
        else:
            environment_of_runs = self._run_environment(options)
            room, url = reading_room(options.room_port, environment_of_runs)
            self.addresses = replace(self.addresses, room_url=url)
            services = [pool_workers(self.places, environment_of_runs), room]
        for service in services:
            self._start(service, stack, environment)

    def _database(self) -> postgres.EmbeddedServer:
        """The embedded PostgreSQL, started unless it is: the catalogue and the Prefect server are in it."""
        server = postgres.prepare(self.places.postgres)
        if "postgres" not in self.processes:
            service = Service("postgres", server.argv, popen=server.popen_options, where=str(server.socket_folder))
            service.stop_signal = service.last_signal = signal.SIGINT
            self._start(service, "database", dict(os.environ))
            self.addresses = replace(self.addresses, database_url=server.url)
        return server

    def _worker_environment(self, options: StackOptions) -> dict[str, str]:
        database = options.database_url or self.addresses.database_url
        api_url = options.prefect_api_url or self.addresses.prefect_api_url
        env = {"CHANNELSCRIBE_DATA_DIR": str(self.places.data), "CHANNELSCRIBE_LOG_LEVEL": options.log_level}
        if database:
            env["CHANNELSCRIBE_DATABASE__URL"] = database
        ours = api_url == self.addresses.prefect_api_url
        return env | (prefect_environment(self.places, api_url, ours=ours) if api_url else {})

    def _run_environment(self, options: StackOptions) -> dict[str, str]:
        """For runs that a work pool starts: they ask for workers when they need some."""
        env = self._worker_environment(options)
        if "PREFECT_API_URL" in env:
            env["CHANNELSCRIBE_PREFECT__API_URL"] = env["PREFECT_API_URL"]
        if options.scheduler:
            env["CHANNELSCRIBE_DASK__SCHEDULER"] = options.scheduler
        return env

    def _start(self, service: Service, stack: str, environment: dict[str, str]) -> None:
        process = Process(service, stack, environment)
        process.start(self.places)
        self.processes[service.name] = process
        note(self.places, self.processes.values())

    def _look_after(self) -> None:
        """Start again what died, tell what will not come back, end the workers that nobody needs."""
        now = time.monotonic()
        for name, process in self.processes.items():
            if process.is_due(now):
                say(f"{name} ended with {process.popen.returncode}: starting it again")
                process.start(self.places)
                note(self.places, self.processes.values())
            elif process.is_hopeless() and not process.told:
                process.told = True
                say(f"{name} ended with {process.popen.returncode}: it is not started again")
                self._tell_lost(process)
        if self._is_wanted("dask", "speech") or not any(p.stack in ("dask", "speech") for p in self.processes.values()):
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = now
        elif now - self.idle_since >= self.idle_seconds:
            self._stop_stacks("dask", "speech")

    def _tell_lost(self, process: Process) -> None:
        message = {
            "lost": process.service.name,
            "where": process.service.where,
            "log": str(self.places.log(process.service.name)),
            "last_words": process.last_words(self.places),
            "was_up": process.answered or process.service.is_worker,
        }
        for client in self.clients.values():
            client.send(message)

    def _stop_stacks(self, *stacks: str) -> None:
        names = [name for name, process in self.processes.items() if process.stack in stacks]
        self._stop(names)
        note(self.places, self.processes.values())
        if "dask" in stacks:
            self.addresses = replace(self.addresses, scheduler=None)

    def _stop_all(self) -> None:
        """Stop the database last: the others may still be writing to it."""
        self._stop([name for name in self.processes if name != "postgres"])
        self._stop(list(self.processes), DATABASE_STOP_SECONDS)
        self.places.noted_processes.unlink(missing_ok=True)

    def _stop(self, names: list[str], seconds: float = STOP_SECONDS) -> None:
        ending = [self.processes.pop(name) for name in names]
        stop([(process.popen, process.service.stop_signal) for process in ending], seconds)


# Processes: started in groups of their own, stopped politely and then surely, found again after a crash


def spawn(service: Service, places: Places, environment: dict[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a service, in a session of its own, where nothing lies that it would read as settings."""
    # Libraries leave things in the temporary folder, Dask and PyTorch a folder each: ours is swept.
    env = {**environment, "PREFECT_API_KEY": None, "TMPDIR": str(places.temporary), **service.env}
    options: dict[str, Any] = {
        "cwd": places.standing,
        **service.popen,
        "stdin": subprocess.DEVNULL,
        "stdout": output,
        "stderr": output,
        "env": {name: value for name, value in env.items() if value is not None},
        "start_new_session": True,
        "preexec_fn": die_with_parent(service.last_signal),
    }
    return subprocess.Popen(service.argv, **options)


def die_with_parent(number: int) -> Callable[[], None] | None:
    """A preexec function that has the kernel signal the child when its parent dies (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)

    return ask


def stop(processes: Sequence[tuple[subprocess.Popen[bytes], int]], seconds: float = STOP_SECONDS) -> None:
    """Send each its signal, wait together, then kill the groups of those that did not go, and whatever they started."""
    offspring = [child for process, _ in processes for child in _offspring(process.pid)]
    for process, number in processes:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
    deadline = time.monotonic() + seconds
    for process, _ in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    for process, _ in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for child in offspring:
        # Runs of a work pool have groups of their own. psutil knows a pid that is somebody else's by now.
        with contextlib.suppress(psutil.Error):
            child.kill()


def _offspring(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def note(places: Places, processes: Iterable[Process]) -> None:
    """Write down pids with their start times, so that a later supervisor can tell an orphan from a reused pid."""
    noted = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            pid = process.popen.pid
            noted.append({"name": process.service.name, "pid": pid, "born": psutil.Process(pid).create_time()})
    places.noted_processes.write_text(json.dumps(noted))


def sweep(places: Places) -> None:
    """Stop what a killed supervisor left behind, if the kernel has not already, and remove temporary files.

    A part of a download stays, so that it can be resumed.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):
        for entry in json.loads(places.noted_processes.read_text()):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                process = psutil.Process(entry["pid"])
                if abs(process.create_time() - entry["born"]) < 1:
                    process.send_signal(signal.SIGINT if entry["name"] == "postgres" else signal.SIGTERM)
                    with contextlib.suppress(psutil.TimeoutExpired):
                        process.wait(10)
                        continue
                    os.killpg(process.pid, signal.SIGKILL)
        places.noted_processes.unlink()
    for leftover in (*places.scratch.iterdir(), *places.temporary.iterdir()):
        if leftover != places.partial:
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def take_lock(places: Places) -> int | None:
    """The lock of this data folder; None when another supervisor serves it. Waits for one that is stopping."""
    descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + NOBODY_CAME_SECONDS
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except OSError:
            if places.socket.exists():
                break
            time.sleep(0.1)
    os.close(descriptor)
    return None


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
    sys.stderr.flush()


def main() -> None:
    places = Places(Path(sys.argv[1]))
    lock = take_lock(places)
    if lock is None:
        return
    sweep(places)
    supervisor = Supervisor(places)

    def end(_number: int, _frame: object) -> None:
        supervisor.stopping = "it was told to (SIGTERM)"

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    supervisor.serve()


if __name__ == "__main__":
    main()
