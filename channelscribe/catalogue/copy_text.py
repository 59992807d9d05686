"""Rows as the text that PostgreSQL's COPY reads: several times as fast as psycopg's adaptation of each element.

The format is that of the PostgreSQL manual, "COPY", text format, and "Array Input and Output Syntax": columns are
parted by tabs, NULL is `\\N`, an array is `{"a","b"}` or `{1,2}`; a backslash comes before what would mean something.
What PostgreSQL cannot hold is left out (NUL) or becomes `?` (lone surrogates). Needs orjson, which writes lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

__all__ = ["copy_blocks"]

BLOCK_CHARACTERS = 1 << 13
"""Small ones: the server takes a block in while the next one is rendered."""
_MEANS_SOMETHING = re.compile("[\\\\\t\n\r\x08\x0b\x0c\x00]")
_ESCAPES = {
    "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x08": "\\b", "\x0b": "\\v", "\x0c": "\\f", "\x00": "",
}  # fmt: skip
_FLAGS = {True: "t", False: "f", None: "NULL"}


def copy_blocks(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """The rows as blocks of lines. Values are None, texts, numbers, booleans, and lists of one kind of these."""
    lines: list[str] = []
    size = 0
    for row in rows:
        line = "\t".join([_RENDER.get(type(value), _odd)(value) for value in row])
        lines.append(line)
        size += len(line)
        if size > BLOCK_CHARACTERS:
            yield _block(lines)
            lines, size = [], 0
    if lines:
        yield _block(lines)


def _block(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _odd(value: Any) -> str:
    return float.__repr__(value) if isinstance(value, float) else str(value)  # numpy's floats have a repr of their own


def _text(value: str) -> str:
    if value.isprintable() and "\\" not in value:  # faster than to look for each character that means something
        return value
    return _MEANS_SOMETHING.sub(lambda found: _ESCAPES[found[0]], value)


def _array(values: list[Any]) -> str:
    """Mostly a JSON list is the array but for its brackets; where it is not, each element is looked at."""
    if values and type(values[0]) is bool:
        return "{" + ",".join([_FLAGS[value] for value in values]) + "}"  # less to send and to read than true, false
    try:
        rendered = orjson.dumps(values)
    except TypeError:  # a number that JSON has no room for, a lone surrogate
        rendered = b"\\"
    # A backslash is where something needed care. JSON has `null` for infinities, too.
    if b"\\" in rendered or (b"null" in rendered and rendered.count(b"null") != values.count(None)):
        return "{" + ",".join(["NULL" if value is None else _element(value) for value in values]) + "}"
    return f"{{{rendered[1:-1].decode()}}}"


def _element(value: Any) -> str:
    if not isinstance(value, str):
        return _RENDER.get(type(value), _odd)(value)
    # Twice: the array's own rules first, then COPY's.
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_text(quoted)}"'


_RENDER: dict[type, Callable[[Any], str]] = {
    str: _text,
    int: int.__repr__,
    float: float.__repr__,
    bool: _FLAGS.__getitem__,
    list: _array,
    type(None): lambda _: "\\N",
}
