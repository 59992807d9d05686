"""A store in a folder. A file appears whole, under its name, or not at all.

Leaves behind: the files, and an empty folder `.partial`. What a killed process was writing stays there until the
next one writes: a lock that died with its process tells which are left over.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from channelscribe.errors import ObjectMissing, StoreError, StoreNotWritable, StoreUnreachable
from channelscribe.hashing import sha256_file

__all__ = ["Folder"]

PARTIAL = ".partial"
AWAY = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH}
"""What a network file system says when its server is away."""


class Folder:
    """Files below `root`, which is made when something is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._swept = False

    def __str__(self) -> str:
        return str(self.root)

    def url(self, key: str) -> str:
        return self._path(key).as_uri()

    def sha256(self, key: str) -> str | None:
        """The sha256 of what is there; None if nothing is."""
        with self._translated(key):
            path = self._path(key)
            return sha256_file(path) if path.is_file() else None

    def exists(self, key: str) -> bool:
        with self._translated(key):
            return self._path(key).is_file()

    def write(self, key: str, source: Path | bytes, sha256: str) -> None:
        """Write a copy of a file, or bytes, to the disk; then give it its name."""
        with self._translated(key):
            path = self._path(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._partial_file() as (partial, file):
                if isinstance(source, Path):
                    with source.open("rb") as content:
                        shutil.copyfileobj(content, file, 1 << 20)
                else:
                    file.write(source)
                file.flush()
                os.fsync(file.fileno())
                partial.replace(path)
            _sync_folder(path.parent)

    def read_bytes(self, key: str) -> bytes:
        with self._translated(key):
            return self._path(key).read_bytes()

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        if not self.exists(key):
            raise ObjectMissing(f"{key} is not in the store {self}.")
        yield self._path(key)

    def delete(self, key: str) -> None:
        with self._translated(key):
            self._path(key).unlink(missing_ok=True)

    def list(self, prefix: str) -> list[str]:
        with self._translated(prefix):
            files = (path.relative_to(self.root) for path in (self.root / prefix).rglob("*") if path.is_file())
            return sorted(file.as_posix() for file in files if file.parts[0] != PARTIAL)

    def _path(self, key: str) -> Path:
        return self.root / key

    @contextmanager
    def _partial_file(self) -> Iterator[tuple[Path, BinaryIO]]:
        folder = self.root / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        if not self._swept:
            _sweep(folder)
            self._swept = True
        while True:
            partial = folder / uuid.uuid4().hex
            with partial.open("xb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink == 0:
                    continue  # another process swept it between its opening and its locking
                try:
                    yield partial, file
                finally:
                    partial.unlink(missing_ok=True)
                return

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ObjectMissing(f"{key} is not in the store {self}.") from error
        except OSError as error:
            raise self._as_ours(error, key) from error

    def _as_ours(self, error: OSError, key: str) -> StoreError:
        said = f"{self.root / key}: {error.strerror or error}"
        if error.errno in AWAY:
            return StoreUnreachable(said)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Make room on that disk." if full else "Give this user the right to write there, or set store.url."
        return StoreNotWritable(said, remedy=remedy)


def _sweep(folder: Path) -> None:
    for leftover in folder.iterdir():
        with suppress(OSError), leftover.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
