"""Content addresses: the sha256 of a file, and one key over the facts that decide a result.

Needs nothing. Every cache key in channelscribe is a `content_key`, so two processes that know the same facts
arrive at the same key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

__all__ = ["content_key", "sha256_file"]

_CHUNK_BYTES = 1 << 20


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
