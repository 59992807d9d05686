"""JSON Lines: an object a segment, UTF-8, `\\n` after each (jsonlines.org). Needs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from channelscribe.exports.rows import Row, plain

__all__ = ["write"]


def write(rows: Iterator[Row], file: BinaryIO) -> None:
    """Write all rows; days are as 2026-01-31."""
    for row in rows:
        file.write(json.dumps(plain(row), ensure_ascii=False, default=str).encode() + b"\n")
