"""The folder in which files are made: gone afterwards, and at the latest with the next work when we are killed."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["working_folder"]

_PREFIX = ".preparing-"
_LOCK = "lock"
_YOUNG_SECONDS = 60.0  # between a folder's making and its locking; and clocks differ


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, which is made if need be. Removes those of processes that were killed."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_PREFIX}*"):
        _remove_if_left(left)
    with tempfile.TemporaryDirectory(dir=parent, prefix=_PREFIX) as name:
        folder = Path(name)
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder


def _remove_if_left(folder: Path) -> None:
    """The kernel gives a lock back when its process dies, however it dies."""
    try:
        if time.time() - folder.stat().st_mtime < _YOUNG_SECONDS:
            return
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # in use, not ours, or gone by now
