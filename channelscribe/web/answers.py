"""What an answer is made of: JSON or HTML with ETag and gzip, a range of a file, a problem (RFC 9457).

Needs Starlette only. Bodies are bytes that are whole before they are sent, so that an ETag is known first; what streams
(JSON Lines, audio) is an iterator that holds one piece at a time.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from channelscribe.errors import (
    CatalogueUnreachable,
    ChannelscribeError,
    ObjectMissing,
    SchemaMismatch,
    StackError,
    StoreError,
    UnknownSource,
    UnknownVideo,
    UsageError,
)

__all__ = [
    "PROBLEM",
    "Recent",
    "answer",
    "as_json",
    "json_answer",
    "lines",
    "not_modified",
    "problem",
    "ranged",
    "status_of",
]

PROBLEM = "application/problem+json"
SMALLEST_GZIP = 1000
PIECE = 1 << 20
"""Bytes of a file that are in memory at once."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def as_json(value: Any) -> bytes:
    """UTF-8; dates and times as ISO 8601, lone surrogates never occur in what the catalogue holds."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def answer(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    etag: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    packed: bytes | None = None,
) -> Response:
    """The body, or 304 where the browser has it already; compressed where that is understood and nothing is secret.

    `packed` is the same body, compressed before.
    """
    tag = etag or weak_etag(body)
    told = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Cookie", **(headers or {})}
    if status == 200 and not_modified(request, tag):
        return Response(status_code=304, headers=told)
    # A page with a token in it is not compressed beside what the asker chose (BREACH).
    secret = bool(getattr(request.state, "user", None)) and media_type.startswith("text/html")
    if len(body) >= SMALLEST_GZIP and not secret and "gzip" in request.headers.get("accept-encoding", ""):
        body = packed or gzip.compress(body, 5, mtime=0)
        told["Content-Encoding"] = "gzip"
    return Response(body, status, told, media_type)


class Recent:
    """Bodies that were made lately, with themselves compressed, by what they were made of; safe between threads."""

    def __init__(self, most_bytes: int = 24 << 20) -> None:
        self._most, self._held = most_bytes, 0
        self._bodies: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], bytes]) -> tuple[bytes, bytes]:
        """(body, compressed body), made where it is not here."""
        with self._lock:
            if (found := self._bodies.get(key)) is not None:
                self._bodies.move_to_end(key)
                return found
        body = make()
        made = (body, gzip.compress(body, 5, mtime=0))
        with self._lock:
            if key not in self._bodies:
                self._bodies[key] = made
                self._held += len(made[0]) + len(made[1])
            while self._held > self._most:
                _, gone = self._bodies.popitem(last=False)
                self._held -= len(gone[0]) + len(gone[1])
        return made


def json_answer(request: Request, value: Any, *, etag: str | None = None, status: int = 200) -> Response:
    return answer(request, as_json(value), "application/json", etag=etag, status=status)


def weak_etag(body: bytes) -> str:
    return f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'


def not_modified(request: Request, etag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    wanted = etag.removeprefix("W/")
    return known.strip() == "*" or any(each.strip().removeprefix("W/") == wanted for each in known[:4000].split(","))


class _Lines(StreamingResponse):
    """Ends what makes them when the last one is sent, and also where nobody reads on: the thread that made the last
    line keeps a generator alive until it gets other work.
    """

    def __init__(self, pieces: Iterable[bytes], end: Callable[[], None], headers: dict[str, str]) -> None:
        super().__init__(pieces, headers=headers, media_type="application/jsonl")
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


def lines(request: Request, made: Generator[bytes, None, None], ended: Callable[[], None]) -> Response:
    """JSON Lines as they are made; the first one is made here, so that what is wrong is told with its status.

    `ended` is called once, when no more of them will be made.
    """

    def end() -> None:
        try:
            made.close()
        finally:
            ended()

    try:
        first = next(made, b"")
    except BaseException:
        end()
        raise

    def whole() -> Iterable[bytes]:
        yield first
        yield from made

    headers = {"Cache-Control": "private, no-store", "Vary": "Accept-Encoding"}
    pieces = whole()
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        pieces = _compressed(pieces)
    return _Lines(pieces, end, headers)


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(5, zlib.DEFLATED, 31)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def ranged(
    request: Request, size: int, read: Any, media_type: str, etag: str, headers: dict[str, str] | None = None
) -> Response:
    """A file of `size` bytes, or the one range that is asked for (RFC 9110, 14). `read(start, length)` gives bytes.

    Several ranges in one request, and what is no range, mean the whole file, as the RFC allows.
    """
    told = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache", **(headers or {})}
    if not_modified(request, etag):
        return Response(status_code=304, headers=told)
    start, end, status = 0, size - 1, 200
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if found and (found[1] or found[2]) and request.headers.get("if-range", etag) == etag:
        if not found[1]:
            start = max(0, size - int(found[2]))
            wrong = int(found[2]) == 0
        else:
            start, end = int(found[1]), min(int(found[2] or size - 1), size - 1)
            wrong = bool(found[2]) and int(found[2]) < start
        if start >= size or wrong:
            return Response(status_code=416, headers={**told, "Content-Range": f"bytes */{size}"})
        status, told["Content-Range"] = 206, f"bytes {start}-{end}/{size}"
    told["Content-Length"] = str(end - start + 1)
    if request.method == "HEAD":
        return Response(status_code=status, headers=told, media_type=media_type)

    def pieces() -> Iterator[bytes]:
        place = start
        while place <= end:
            piece = read(place, min(PIECE, end - place + 1))
            if not piece:
                return
            place += len(piece)
            yield piece

    return StreamingResponse(pieces(), status, told, media_type)


def status_of(error: ChannelscribeError) -> int:
    if isinstance(error, UnknownVideo | UnknownSource | ObjectMissing):
        return 404
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, CatalogueUnreachable | StoreError | StackError | SchemaMismatch):
        return 503
    return 500


def problem(status: int, reason: str, detail: str, remedy: str = "", **more: Any) -> Response:
    """`reason` is the code of the error tree, or what HTTP calls it."""
    told = {"type": "about:blank", "title": reason.replace("_", " "), "status": status, "detail": detail}
    headers = {"Cache-Control": "no-store", **more.pop("headers", {})}
    body = as_json({**told, "reason": reason, "remedy": remedy, **more})
    return Response(body, status, headers, PROBLEM)
