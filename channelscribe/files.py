"""Files that are there whole or not at all; and content addresses: the sha256 of a file, and one key over the facts
that decide a result.

Needs nothing. Every cache key in channelscribe is a `content_key`, so two processes that know the same facts arrive at
the same key. A process that is killed while it writes leaves `.NAME.….part` beside the file, and what was there before
stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, SecretStr

from channelscribe.errors import StoreNotWritable

__all__ = ["atomic_write", "content_key", "sha256_file"]

_CHUNK_BYTES = 1 << 20


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """An open file that becomes `path` when the block ends well; a link is replaced, not followed.

    Raises StoreNotWritable, as for a full disk.
    """
    try:
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise _not_writable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(unfinished).chmod(0o666 & ~mask)  # mkstemp's files are for their owner only
        Path(unfinished).replace(path)
    except OSError as error:
        raise _not_writable(path, error) from error
    finally:
        with suppress(OSError):
            Path(unfinished).unlink()


def _not_writable(path: Path, error: OSError) -> StoreNotWritable:
    return StoreNotWritable(f"{path}: {error.strerror or error}.", remedy="Choose another place, or make room there.")


def sha256_file(path: Path) -> str:
    """The sha256 of the file's bytes, 64 lower-case hex digits; reads it in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def content_key(*parts: Any) -> str:
    """The sha256 over `parts` as canonical JSON, 64 lower-case hex digits.

    Parts may be anything JSON knows, pydantic models, paths, tuples and sets; the order of mapping keys and
    of set members does not matter, the order of the parts does. Raises TypeError on anything else and on
    secrets, and ValueError on NaN, because neither has one canonical form.
    """
    text = json.dumps(_plain(parts), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, SecretStr):
        raise TypeError("a secret may not be part of a content key")
    if isinstance(value, BaseModel):
        return _plain({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("the keys of a mapping in a content key must be strings")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=json.dumps)
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"a content key cannot hold a {type(value).__name__}")
