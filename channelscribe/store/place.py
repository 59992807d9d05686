"""What a store needs of the place where its objects are: a folder or a bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

__all__ = ["ObjectInfo", "Place"]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing says of an object: its key, its size in bytes, when it was written (with time zone)."""

    key: str
    bytes: int
    modified: datetime


class Place(Protocol):
    """Where a store keeps its objects. Keys are checked before they come here."""

    def url(self, key: str) -> str: ...

    def sha256(self, key: str) -> str | None:
        """The sha256 of what is there; None if nothing is."""
        ...

    def exists(self, key: str) -> bool: ...

    def write(self, key: str, source: Path | bytes, sha256: str, *, overwrite: bool) -> bool:
        """Put content of this sha256 there, whole or not at all. False, and nothing is changed, when the key is taken
        and is not to be overwritten."""
        ...

    def read_bytes(self, key: str) -> bytes: ...
    def local_path(self, key: str) -> AbstractContextManager[Path]: ...
    def delete(self, keys: Sequence[str]) -> None: ...
    def objects(self, prefix: str) -> Iterator[ObjectInfo]: ...

    def unfinished(self, before: datetime) -> list[str]:
        """Names of writes that were begun before this time and will never be finished."""
        ...

    def discard_unfinished(self, before: datetime) -> None: ...
