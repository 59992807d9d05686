"""As whom the embedded PostgreSQL runs: as the caller, unless that is root, which PostgreSQL refuses.

As root it is the user that owns the data folder already, else `postgres` where the system has one, else a new
system user `channelscribe`, else (no `useradd`) `nobody`. That user must be able to walk to the data folder and to
the program: parents that do not let others through get the search bit (x, not r) for others, each with a warning.
"""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from channelscribe.errors import StackError

__all__ = ["hand_over", "let_through", "process_options", "server_user"]

logger = logging.getLogger(__name__)

CANDIDATES = ("postgres", "channelscribe")
LAST_RESORT = "nobody"


def server_user(folder: Path) -> str | None:
    """Name of the OS user that must run the server in `folder`; None: the caller. Raises StackError."""
    if os.geteuid() != 0:
        return None
    if (folder / "PG_VERSION").exists() and (owner := _user_name(folder.stat().st_uid)) not in (None, "root"):
        return owner
    for name in CANDIDATES:
        if _exists(name):
            return name
    if shutil.which("useradd") and _add_system_user(CANDIDATES[-1]):
        return CANDIDATES[-1]
    if _exists(LAST_RESORT):
        return LAST_RESORT
    raise StackError(
        "PostgreSQL does not run as root, and there is no other user to run it as.",
        remedy="Run channelscribe as an ordinary user, or set database.url.",
    )


def process_options(user: str | None) -> dict[str, Any]:
    """Keyword arguments for `subprocess.Popen` that run a program as `user`, with no other groups."""
    options: dict[str, Any] = {"cwd": "/", "umask": 0o077, "stdin": subprocess.DEVNULL}
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


def let_through(path: Path, user: str | None) -> None:
    """Let `user` walk through the parents of `path`, both as given and with links resolved."""
    if user is None:
        return
    entry = pwd.getpwnam(user)
    for parent in dict.fromkeys([*path.resolve().parents, *path.absolute().parents]):
        status = parent.stat()
        if not _may_search(status, entry):
            logger.warning("%s: others may now walk through it (chmod o+x), as PostgreSQL runs as %s", parent, user)
            parent.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)


def _may_search(status: os.stat_result, entry: pwd.struct_passwd) -> bool:
    # The kernel looks at one class only: an owner without x is refused although others have it.
    if status.st_uid == entry.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == entry.pw_gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _user_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _add_system_user(name: str) -> bool:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and _exists(name)
