"""The keeper: one small process a data folder that owns the services of the laptop stack.

    python -P -m channelscribe.local_stack.keeper < StackOptions as JSON

Commands connect to its Unix socket, say what they need, and keep the connection for as long as they live. The kernel
closes it however a command ends, so the keeper always knows who is left; with nobody left it stops every service and
goes. It runs in a session of its own: Ctrl-C in the terminal reaches the command, not the services. A service that
answered and then died is started again, where it was. If the keeper itself is killed, the kernel signals its children
(Linux), and the next keeper stops what is still there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channelscribe.local_stack.places import Places
from channelscribe.local_stack.processes import Running, note_processes, spawn, stop, sweep_orphans
from channelscribe.local_stack.revivals import Revivals
from channelscribe.local_stack.services import (
    STACKS,
    Addresses,
    Service,
    StackOptions,
    dask_services,
    pool_services,
    prefect_environment,
    prefect_server,
)

NOBODY_CAME_SECONDS = 30.0


@dataclass(slots=True)
class Client:
    """One connected command."""

    connection: socket.socket
    received: bytes = b""
    who: dict[str, Any] = field(default_factory=dict)
    wants: set[str] = field(default_factory=set)


class Keeper:
    """Starts services on demand, counts the commands that use them, stops all after the last one."""

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        self.places = Places(Path(options.data_dir))
        self.running: dict[str, Running] = {}
        self.database_url: str | None = options.database_url
        self.api_url: str | None = options.prefect_api_url
        self.scheduler: str | None = None
        self.clients: dict[int, Client] = {}
        self.selector = selectors.DefaultSelector()
        self.revivals = Revivals()
        self.stopping = False

    def serve(self) -> None:
        """Answer commands until the last one has gone."""
        listener = self._listen()
        deadline = time.monotonic() + NOBODY_CAME_SECONDS
        try:
            while not self.stopping:
                for key, _ in self.selector.select(timeout=0.5):
                    if key.fileobj is listener:
                        self._welcome(listener)
                    else:
                        self._hear(self.clients[key.fd])
                self._revive()
                if self.clients:
                    deadline = time.monotonic()
                elif time.monotonic() >= deadline:
                    break
        finally:
            # The socket goes first, so that a command that comes now starts a keeper of its own, which waits.
            listener.close()
            self.places.socket.unlink(missing_ok=True)
            self.stop_all()
            for client in self.clients.values():
                client.connection.close()

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
            self._part(client)
            return
        client.who = message.get("who", client.who)
        for stack in message.get("answered", ()):
            self.revivals.answered(STACKS[stack])
        try:
            for stack in message.get("want", ()):
                client.wants.add(stack)
                self._start_stack(stack)
            reply: dict[str, Any] = {"addresses": self._addresses().to_dict()}
        except Exception as error:
            # Whatever it was, the command must hear of it: it prints one line and ends.
            reply = {"error": f"{type(error).__name__}: {error}" if not str(error) else str(error)}
            reply["remedy"] = getattr(error, "remedy", "")
        reply["commands"] = [other.who for other in self.clients.values() if other is not client]
        reply["exited"] = [name for name in self._dead() if not self.revivals.hopeful(name)]
        with contextlib.suppress(OSError):
            client.connection.sendall(json.dumps(reply).encode() + b"\n")

    def _dead(self) -> list[str]:
        return [name for name, (_, process) in self.running.items() if process.poll() is not None]

    def _revive(self) -> None:
        for name in self._dead():
            if self.revivals.due(name):
                service, process = self.running[name]
                sys.stderr.write(f"{name} ended with {process.returncode}: starting it again\n")
                sys.stderr.flush()
                self._start(service)

    def _part(self, client: Client) -> None:
        """A polite end: the last command waits until everything has stopped, so that nothing outlives it."""
        if len(self.clients) > 1:
            self._forget(client)
        else:
            self.selector.unregister(client.connection)
            self.stopping = True

    def _forget(self, client: Client) -> None:
        self.selector.unregister(client.connection)
        del self.clients[client.connection.fileno()]
        if not any("pools" in other.wants for other in self.clients.values()):
            self._stop_pools()
        client.connection.close()

    def _stop_pools(self) -> None:
        """Runs are started only as long as somebody wants that: other services stay for the commands that are left."""
        stop([self.running.pop(name) for name in STACKS["pools"] if name in self.running])
        note_processes(self.places, self.running.values())

    def _addresses(self) -> Addresses:
        return Addresses(self.database_url, self.api_url, self.scheduler)

    def _start_stack(self, stack: str) -> None:
        if STACKS[stack][0] in self.running:
            return
        if stack == "database":
            self._start_database()
        elif stack == "prefect":
            service, self.api_url = prefect_server(self.places, self.options)
            self._start(service)
        elif stack == "pools":
            for service in pool_services(self.places, self._command_environment()):
                self._start(service)
        else:
            services, self.scheduler = dask_services(self.places, self.options, self._worker_environment())
            for service in services:
                self._start(service)

    def _start_database(self) -> None:
        from channelscribe.local_stack.postgres import prepare

        server = prepare(self.places.postgres)
        self.database_url = server.url
        log = self.places.logs / "postgres.log"
        self._start(Service("database", server.argv, log, popen=server.popen_options, stop_signal=signal.SIGINT))

    def _worker_environment(self) -> dict[str, str]:
        env = {"CHANNELSCRIBE_DATA_DIR": str(self.places.data)}
        if self.database_url:
            env["CHANNELSCRIBE_DATABASE__URL"] = self.database_url
        if self.api_url:
            env |= prefect_environment(self.places, self.api_url)
        return env

    def _command_environment(self) -> dict[str, str]:
        """What a command puts into its own environment, for runs that a work pool starts."""
        env = self._worker_environment()
        if self.api_url:
            env["CHANNELSCRIBE_PREFECT__API_URL"] = self.api_url
        if self.scheduler:
            env["CHANNELSCRIBE_DASK__SCHEDULER"] = self.scheduler
        return env

    def _start(self, service: Service) -> None:
        process = spawn(service, self.places.standing)
        self.running[service.name] = (service, process)
        note_processes(self.places, self.running.values())

    def stop_all(self) -> None:
        """Stop the database last: the others may still be writing to it."""
        names = [name for name in self.running if name != "database"]
        stop([self.running[name] for name in names])
        stop([self.running[name] for name in self.running if name == "database"])
        self.running.clear()
        self.places.noted_processes.unlink(missing_ok=True)


def sweep_scratch(places: Places) -> None:
    """Remove what killed processes left; a part of a download stays, so that it can be resumed."""
    for leftover in places.scratch.iterdir():
        if leftover != places.partial:
            shutil.rmtree(leftover, ignore_errors=True)


def take_lock(places: Places) -> int | None:
    """The lock of this data folder; None when another keeper serves it. Waits for one that is stopping."""
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


def main() -> None:
    options = StackOptions(**json.load(sys.stdin))
    places = Places(Path(options.data_dir))
    lock = take_lock(places)
    if lock is None:
        return
    sweep_orphans(places)
    sweep_scratch(places)
    keeper = Keeper(options)

    def end(_number: int, _frame: object) -> None:
        keeper.stopping = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keeper.serve()


if __name__ == "__main__":
    main()
