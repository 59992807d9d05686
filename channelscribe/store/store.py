"""The media store: audio, transcripts and checkpoints under keys, in a folder or an S3 bucket.

Objects are immutable: the same key takes the same content again for free, and other content only when told to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from channelscribe.errors import InvalidSetting, StoreConflict, StoreError
from channelscribe.files import sha256_file
from channelscribe.settings.options import StoreOptions
from channelscribe.store.layout import check_key

__all__ = ["MediaStore", "ObjectInfo", "Place", "StoredObject"]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing says of an object: its key, its size in bytes, when it was written (with time zone)."""

    key: str
    bytes: int
    modified: datetime


class Place(Protocol):
    """Where a store keeps its objects: a folder or a bucket. Keys are checked before they come here."""

    @property
    def root(self) -> Path | str:
        """The folder, or the bucket's address."""
        ...

    def url(self, key: str) -> str: ...

    def sha256(self, key: str) -> str | None:
        """The sha256 of what is there; None if nothing is."""
        ...

    def exists(self, key: str) -> bool: ...

    def write(self, key: str, source: Path | bytes, sha256: str, *, overwrite: bool, durable: bool = True) -> bool:
        """Put content of this sha256 there, whole or not at all. False, and nothing is changed, when the key is taken
        and is not to be overwritten. What is not `durable` may be lost, or empty, after a power cut."""
        ...

    def read_bytes(self, key: str) -> bytes: ...
    def size(self, key: str) -> int | None:
        """Bytes of what is there; None if nothing is."""
        ...

    def read_range(self, key: str, start: int, length: int) -> bytes: ...
    def address(self, key: str, seconds: int) -> str | None: ...
    def local_path(self, key: str) -> AbstractContextManager[Path]: ...
    def delete(self, keys: Sequence[str]) -> None: ...
    def objects(self, prefix: str) -> Iterator[ObjectInfo]: ...

    def unfinished(self, before: datetime) -> list[str]:
        """Names of writes of ours that were begun before this time and will never be finished."""
        ...

    def discard_unfinished(self, before: datetime) -> None: ...

    def keeps_versions(self) -> bool:
        """Whether what is deleted is still there as an older version."""
        ...


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What is in the store now: its key, the sha256 of its content (64 hex digits), its size in bytes."""

    key: str
    sha256: str
    bytes: int


class MediaStore:
    """A store at a folder path, `file://` or `s3://bucket/prefix`. Raises InvalidSetting on any other address.

    Methods raise KeyRefused, StoreUnreachable, StoreNotWritable; those that read raise ObjectMissing.
    """

    def __init__(self, url: str, options: StoreOptions | None = None) -> None:
        self._place = _place(url, options or StoreOptions())

    def __str__(self) -> str:
        return str(self._place)

    @property
    def folder(self) -> Path | None:
        """Where the files are, of a store in a folder."""
        root = self._place.root
        return root if isinstance(root, Path) else None

    def put_file(self, path: Path, key: str, *, overwrite: bool = False) -> StoredObject:
        """Store a file's content. Raises StoreConflict when the key holds other content, unless `overwrite`."""
        stored = StoredObject(check_key(key), sha256_file(path), path.stat().st_size)
        self._put(stored, path, overwrite)
        return stored

    def put_bytes(self, content: bytes, key: str, *, overwrite: bool = False, durable: bool = True) -> StoredObject:
        """Store bytes. Raises StoreConflict when the key holds other content, unless `overwrite`.

        What is not `durable` may be lost, or empty, after a power cut: for what is a memory, and made again.
        """
        stored = StoredObject(check_key(key), hashlib.sha256(content).hexdigest(), len(content))
        self._put(stored, content, overwrite, durable)
        return stored

    def put_json(self, value: Any, key: str, *, overwrite: bool = False) -> StoredObject:
        """Store a JSON value as UTF-8, keys sorted, so that equal values are equal bytes."""
        return self.put_bytes(_as_json(value), key, overwrite=overwrite)

    def add_bytes(self, content: bytes, key: str) -> bool:
        """Store bytes under a key where nothing was when the caller looked.

        False when somebody was faster: what is there stays, and is as good. For what is made anew each time with small
        differences, such as recognized speech.
        """
        return self._place.write(check_key(key), content, hashlib.sha256(content).hexdigest(), overwrite=False)

    def add_json(self, value: Any, key: str) -> bool:
        """`add_bytes` for a JSON value."""
        return self.add_bytes(_as_json(value), key)

    def read_bytes(self, key: str) -> bytes:
        """The content under a key. Raises ObjectMissing."""
        return self._place.read_bytes(check_key(key))

    def size(self, key: str) -> int | None:
        """Bytes of what is under a key; None if nothing is."""
        return self._place.size(check_key(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """At most `length` bytes from `start` on, for players that seek. Raises ObjectMissing."""
        return self._place.read_range(check_key(key), start, length)

    def address(self, key: str, seconds: int) -> str | None:
        """Where anybody may read the object over HTTP for so long, without a key of the bucket; None for a folder."""
        return self._place.address(check_key(key), seconds)

    def read_json(self, key: str) -> Any:
        """The JSON value under a key. Raises ObjectMissing, and StoreError when it is no JSON."""
        try:
            return json.loads(self.read_bytes(key))
        except ValueError as error:
            raise StoreError(f"{key} in the store {self} is no JSON.", reason="corrupt_object") from error

    def exists(self, key: str) -> bool:
        """Whether the key holds an object; objects are whole or absent."""
        return self._place.exists(check_key(key))

    def sha256(self, key: str) -> str | None:
        """The sha256 of what is under a key, 64 hex digits; None if nothing is."""
        return self._place.sha256(check_key(key))

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """A file with the content, for the length of a `with`; not to be written to. Raises ObjectMissing.

        In a folder it is the stored file itself, from S3 a temporary copy.
        """
        with self._place.local_path(check_key(key)) as path:
            yield path

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""
        self._place.delete([check_key(key)])

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove objects, many in one request where the place can do that."""
        self._place.delete([check_key(key) for key in keys])

    def list(self, prefix: str = "") -> list[str]:
        """All keys below a folder of the store, sorted; "" means all."""
        return sorted(found.key for found in self.objects(prefix))

    def objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """What is below a folder of the store, one by one; "" means all."""
        return self._place.objects(check_key(prefix.rstrip("/")) if prefix else "")

    def unfinished(self, before: datetime) -> Sequence[str]:
        """Names of writes that were begun before this time and will never be finished: their process is gone."""
        return self._place.unfinished(before)

    def discard_unfinished(self, before: datetime) -> None:
        """Remove what such writes left."""
        self._place.discard_unfinished(before)

    def keeps_versions(self) -> bool:
        """Whether what is deleted is still there as an older version: a bucket with versioning."""
        return self._place.keeps_versions()

    def url(self, key: str) -> str:
        """The object's address, file:// or s3://."""
        return self._place.url(check_key(key))

    def _put(self, stored: StoredObject, source: Path | bytes, overwrite: bool, durable: bool = True) -> None:
        there = self._place.sha256(stored.key)
        if there == stored.sha256:
            return
        if there is None or overwrite:
            if self._place.write(stored.key, source, stored.sha256, overwrite=overwrite, durable=durable):
                return
            if self._place.sha256(stored.key) == stored.sha256:
                return
        raise StoreConflict(
            f"{stored.key} in the store {self} holds other content.",
            remedy="Somebody else writes into this store: give each library a prefix of its own.",
        )


def _as_json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _place(url: str, options: StoreOptions) -> Place:
    # Here: what has a folder never loads what speaks to S3.
    from channelscribe.store.folder import Folder

    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        from channelscribe.store.bucket import Bucket

        return Bucket(url, options)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Folder(Path(unquote(parts.path)).absolute())
    if "://" not in url and url:
        return Folder(Path(url).expanduser().absolute())
    raise InvalidSetting(
        f"store.url {url!r} is neither a folder nor file:// nor s3://.",
        remedy="Give a path, or s3://bucket/prefix.",
    )
