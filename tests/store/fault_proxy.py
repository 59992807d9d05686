"""A proxy before an S3 server that fails some requests: 503, a connection cut in mid-body, a slow answer. It counts."""

from __future__ import annotations

import http.client
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ERROR = "<Error><Code>{}</Code><Message>No.</Message></Error>"
Refusal = tuple[int, str]
"""HTTP status, and S3's code."""


class FaultProxy:
    """`unavailable`, `cut` and `slow` are shares of the requests, 0 to 1.

    `refuses` gets a request's method, path and headers, and tells how the proxy answers in the server's place.
    """

    def __init__(self, upstream: str, seed: int = 7) -> None:
        self.upstream = upstream.removeprefix("http://")
        self.unavailable = self.cut = self.slow = 0.0
        self.refuses: Callable[[str, str, Message], Refusal | None] = lambda method, path, headers: None
        self.requests: Counter[str] = Counter()
        self.most_bytes = 0
        self.keys: set[str] = set()  # the access keys that requests were signed with
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        return sum(self.requests.values())

    def forget(self) -> None:
        self.requests.clear()
        self.most_bytes = 0

    def fate(self, method: str, size: int) -> str:
        with self._lock:
            self.requests[method] += 1
            self.most_bytes = max(self.most_bytes, size)
            drawn = self._random.random()
        for name in ("unavailable", "cut", "slow"):
            share = getattr(self, name)
            if drawn < share:
                return name
            drawn -= share
        return "well"

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address."""
        proxy = self

        class Handler(_Handler):
            owner = proxy

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: FaultProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _pass_on(self) -> None:
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if signed := re.search(r"Credential=([^/]+)/", self.headers.get("Authorization") or ""):
            self.owner.keys.add(signed[1])
        fate = self.owner.fate(self.command, len(body))
        refusal = self.owner.refuses(self.command, self.path, self.headers)
        if fate == "unavailable":
            refusal = (503, "ServiceUnavailable")
        if refusal is not None:
            content = ERROR.format(refusal[1]).encode() if self.command != "HEAD" else b""
            self._answer(refusal[0], [("Content-Type", "application/xml")], content)
            return
        if fate == "slow":
            time.sleep(0.2)
        connection = http.client.HTTPConnection(self.owner.upstream, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if fate == "cut":
            self._cut(answer, content)
            return
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        if self.command == "HEAD":
            kept += [("Content-Length", answer.getheader("Content-Length") or "0")]
        self._answer(answer.status, kept, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _cut(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        """The request was obeyed; the connection breaks in the middle of the answer, or before it where it is short."""
        if len(content) > 1 and self.command == "GET":
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)


HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
