"""A store in a folder. A file appears whole, under its name, or not at all.

Leaves behind: the files, and an empty folder `.partial`. What a killed process was writing stays there until the
next one writes: a lock that died with its process tells which are left over.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO

from channelscribe.errors import ObjectMissing, StoreError, StoreNotWritable, StoreUnreachable
from channelscribe.files import sha256_file
from channelscribe.store.store import ObjectInfo

__all__ = ["Folder"]

PARTIAL = ".partial"
NAME = re.compile(r"[0-9a-f]{32}")
"""How files in it are called: others may have a folder of that name, too."""
AWAY = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH}
"""What a network file system says when its server is away."""
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES}
"""What a file system says that has no hard links: there, of two writers at once the last one counts."""


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

    def write(self, key: str, source: Path | bytes, sha256: str, *, overwrite: bool, durable: bool = True) -> bool:
        """Write a copy of a file, or bytes, to the disk; then give it its name, which nobody else has then."""
        with self._translated(key):
            path = self._path(key)
            with self._partial_file() as (partial, file):
                with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as content:
                    if _copy(content, file) != sha256:
                        raise StoreError("the file changed while it was being stored.", reason="corrupt_object")
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                done = _give_name(partial, path, overwrite)
            if durable:
                _sync_folder(path.parent)
            return done

    def read_bytes(self, key: str) -> bytes:
        with self._translated(key):
            return self._path(key).read_bytes()

    def size(self, key: str) -> int | None:
        with self._translated(key):
            path = self._path(key)
            return path.stat().st_size if path.is_file() else None

    def read_range(self, key: str, start: int, length: int) -> bytes:
        with self._translated(key), self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def address(self, key: str, seconds: int) -> str | None:
        return None

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        if not self.exists(key):
            raise ObjectMissing(f"{key} is not in the store {self}.")
        yield self._path(key)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove files, and the folders that are empty then."""
        for key in keys:
            with self._translated(key):
                path = self._path(key)
                path.unlink(missing_ok=True)
            for parent in path.parents:
                if parent == self.root or not _removed_if_empty(parent):
                    break

    def objects(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._translated(prefix):
            for folder, names, files in os.walk(self.root / prefix):
                names[:] = [name for name in names if name != PARTIAL]
                for name in files:
                    path = Path(folder, name)
                    with suppress(FileNotFoundError):
                        status = path.stat()
                        modified = datetime.fromtimestamp(status.st_mtime, UTC)
                        yield ObjectInfo(path.relative_to(self.root).as_posix(), status.st_size, modified)

    def unfinished(self, before: datetime) -> list[str]:
        return [path.name for path in self._partials(before) if _is_left_over(path, remove=False)]

    def discard_unfinished(self, before: datetime) -> None:
        for path in self._partials(before):
            _is_left_over(path, remove=True)

    def keeps_versions(self) -> bool:
        return False

    def _partials(self, before: datetime) -> list[Path]:
        found = []
        for path in _written_to(self.root / PARTIAL):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before.timestamp():
                    found.append(path)
        return found

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
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "Make room on that disk." if full else "Give this user the right to write there, or set store.url."
        return StoreNotWritable(said, remedy=remedy)


def _written_to(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return [path for path in folder.iterdir() if NAME.fullmatch(path.name)]
    return []


def _sweep(folder: Path) -> None:
    for leftover in _written_to(folder):
        _is_left_over(leftover, remove=True)


def _is_left_over(partial: Path, *, remove: bool) -> bool:
    """Whether nobody holds its lock. It is removed under the lock: who had just made it sees that."""
    with suppress(OSError), partial.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if remove:
            partial.unlink()
        return True
    return False


def _copy(content: IO[bytes], file: BinaryIO) -> str:
    """Copies in pieces; returns the sha256 of what was copied."""
    digest = hashlib.sha256()
    while piece := content.read(1 << 20):
        digest.update(piece)
        file.write(piece)
    return digest.hexdigest()


def _give_name(partial: Path, path: Path, overwrite: bool) -> bool:
    """False when the name is taken and is not to be overwritten."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if overwrite:
                partial.replace(path)
            else:
                _link(partial, path)
            return True
        except FileExistsError:
            return False
        except FileNotFoundError:
            if not partial.exists():
                raise
            # somebody removed the empty folder


def _link(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(path) from error
        partial.replace(path)


def _removed_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
        return True
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
