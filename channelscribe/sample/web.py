"""HTTP as downloads need it: whole answers, single ranges, conditional requests, and a record of each.

Ranges after RFC 9110, section 14; If-None-Match and If-Range after section 13. Used by `server` alone.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Protocol
from urllib.parse import unquote, urlsplit

_CHUNK = 1 << 14
_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)\s*$")


@dataclass
class Request:
    """One request as it was answered. ``bytes_sent`` counts the body and grows while it is sent."""

    method: str
    path: str
    range: str | None
    status: int = 0
    bytes_sent: int = 0


@dataclass(frozen=True)
class Resource:
    """Something to serve, with the time of its last change in seconds since the epoch."""

    content: bytes
    type: str
    modified: float

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'


Answer = Resource | Callable[[BaseHTTPRequestHandler], None]


class Site(Protocol):
    """What a handler asks of the server: what lies at a path, how fast to send, and to remember requests."""

    bytes_per_second: int | None

    def find(self, path: str) -> Answer | None: ...

    def log(self, request: Request) -> None: ...


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open range of bytes that a Range header asks for; None when it asks for no single valid range.

    Raises ValueError when no byte of it lies inside ``size`` bytes (status 416).
    """
    match = _ONE_RANGE.match(header or "")
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        if int(last) == 0:
            raise ValueError(header)
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise ValueError(header)
    return int(first), min(int(last) + 1, size) if last else size


class Handler(BaseHTTPRequestHandler):
    """Answers one connection; a server sets ``site`` on a subclass of its own."""

    protocol_version = "HTTP/1.1"
    server_version = "sample-channel"
    site: Site

    def do_GET(self) -> None:
        self.record = Request(self.command, self.path, self.headers.get("Range"))
        self.site.log(self.record)
        answer = self.site.find(unquote(urlsplit(self.path).path))
        if answer is None:
            self._send(HTTPStatus.NOT_FOUND, Resource(b"not here\n", "text/plain", time.time()), {})
        elif isinstance(answer, Resource):
            self._send_resource(answer)
        else:
            self.close_connection = True  # it may well break off in the middle
            answer(self)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send_resource(self, resource: Resource) -> None:
        size = len(resource.content)
        modified = formatdate(resource.modified, usegmt=True)
        headers = {"ETag": resource.etag, "Last-Modified": modified, "Accept-Ranges": "bytes"}
        unchanged = self.headers.get("If-Range") in (None, resource.etag, modified)
        try:
            part = byte_range(self.headers.get("Range"), size) if unchanged else None
        except ValueError:
            headers["Content-Range"] = f"bytes */{size}"
            self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, replace(resource, content=b""), headers)
            return
        if self.headers.get("If-None-Match") == resource.etag:
            self._send(HTTPStatus.NOT_MODIFIED, replace(resource, content=b""), headers)
        elif part is None:
            self._send(HTTPStatus.OK, resource, headers)
        else:
            first, end = part
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
            self._send(HTTPStatus.PARTIAL_CONTENT, replace(resource, content=resource.content[first:end]), headers)

    def _send(self, status: HTTPStatus, resource: Resource, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", resource.type)
            self.send_header("Content-Length", str(len(resource.content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(resource.content)

    def _send_body(self, content: bytes) -> None:
        for offset in range(0, len(content), _CHUNK):
            chunk = content[offset : offset + _CHUNK]
            if self.site.bytes_per_second:
                time.sleep(len(chunk) / self.site.bytes_per_second)
            # Counted first: a client that has it all then finds it counted.
            self.record.bytes_sent += len(chunk)
            try:
                self.wfile.write(chunk)
            except OSError:  # the client went away; a resuming one comes back
                self.close_connection = True
                return

    def send_response(self, code: int, message: str | None = None) -> None:
        self.record.status = int(code)
        super().send_response(code, message)

    def end_headers(self) -> None:
        if self.close_connection:  # a client that is not told may send its next request into the closing connection
            self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the log is `SampleServer.requests`."""
