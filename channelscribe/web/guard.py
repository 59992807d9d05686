"""What stands before every request, as plain ASGI: the host asked for, sizes, rates, who asks; and the headers of every
answer. What it refuses never reaches a route.

DNS rebinding: on loopback only names of this machine are answered to. Cross-site requests: a change needs the page's
token and an origin that is ours, unless a program's token was given, which no browser sends by itself.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse, Response

from channelscribe.web.access import Access, is_loopback
from channelscribe.web.answers import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CSRF_HEADER", "Guard", "content_security_policy"]

LARGEST_BODY = 1 << 16
BODY_SECONDS = 10.0
LONGEST_TARGET = 8000
LONGEST_HEADERS = 32 << 10
BURST_SECONDS = 10.0
MOST_ADDRESSES = 10_000
CSRF_HEADER = "x-csrf-token"
MCP_PATH = "/mcp"
OPEN_PATHS = ("/login", "/static/", "/health")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253})(?::(\d{1,5}))?")


def content_security_policy(media: str = "") -> str:
    """Nothing inline, nothing of others; `media` is the bucket's origin where browsers read audio from it."""
    own = ("script-src", "style-src", "img-src", "connect-src", "form-action", "manifest-src")
    rules = ["default-src 'none'", *(f"{each} 'self'" for each in own), f"media-src 'self' {media}".strip()]
    return "; ".join([*rules, "base-uri 'none'", "frame-ancestors 'none'"])


class Guard:
    def __init__(self, app: ASGIApp, *, access: Access, host: str, media: str = "") -> None:
        self.app = app
        self.access = access
        self.rate = access.options.requests_per_second
        self._buckets: OrderedDict[str, list[float]] = OrderedDict()
        own = {host.lower(), "localhost", "127.0.0.1", "::1"}
        names = own | {name.lower() for name in access.options.hosts}
        self._names = names if is_loopback(host) or access.options.hosts else None
        self._headers = [
            (b"content-security-policy", content_security_policy(media).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        refused = self._refuse(scope)
        if refused is not None:
            await refused(scope, receive, send_with_headers)
            return
        if scope["method"] not in ("GET", "HEAD"):
            body = await _whole_body(receive)
            if isinstance(body, Response):
                await body(scope, receive, send_with_headers)
                return
            receive = _again(body, receive)
        await self.app(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> Response | None:
        headers: dict[bytes, bytes] = {}
        watched = (b"host", b"cookie", b"authorization", b"content-length", self.access._header)
        for name, value in scope["headers"]:
            if name in headers and name in watched and name != b"cookie":
                return problem(400, "usage", f"The header {name.decode('latin-1')[:60]} came twice.")
            headers[name] = headers[name] + b"; " + value if name == b"cookie" and name in headers else value
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST_HEADERS:
            return problem(431, "too_large", "The headers are too long.")
        target = scope.get("raw_path") or scope["path"].encode()
        if len(target) + len(scope.get("query_string", b"")) > LONGEST_TARGET:
            return problem(414, "usage", "The address is too long.")
        host = _HOST.fullmatch(headers.get(b"host", b"").decode("latin-1"))
        name = host[1].strip("[]").lower() if host else ""
        if not host or (self._names is not None and name not in self._names):
            return problem(421, "wrong_host", "This is not the address of the room.", "Add the name to web.hosts.")
        address = scope["client"][0] if scope.get("client") else "127.0.0.1"
        by_proxy = self.access.is_proxy(address)
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1") if by_proxy else ""
        asker = forwarded.rpartition(",")[2].strip()[:64] or address
        wait = self._wait(asker)
        if wait:
            return problem(
                429, "too_many", "Too many requests.", "Ask more slowly.", headers={"Retry-After": str(int(wait) + 1)}
            )
        user = self.access.identify(headers, address)
        scheme = scope.get("scheme", "http")
        if by_proxy and headers.get(b"x-forwarded-proto") == b"https":
            scheme = "https"
        state: dict[str, Any] = scope.setdefault("state", {})
        state.update(user=user, address=asker, secure=scheme == "https", csrf=user.csrf if user else None)
        path = scope["path"]
        if user is None and not self.access.open and not path.startswith(OPEN_PATHS):
            if path.startswith("/api/") or scope["method"] not in ("GET", "HEAD"):
                return problem(
                    401, "login", "This needs a login.", "Send a token.", headers={"WWW-Authenticate": "Bearer"}
                )
            return RedirectResponse(f"/login?next={quote(path)}", 303)
        if scope["method"] not in ("GET", "HEAD"):
            return self._refuse_change(headers, user, path, host[0])
        return None

    def _refuse_change(self, headers: dict[bytes, bytes], user: Any, path: str, host: str) -> Response | None:
        if headers.get(b"transfer-encoding") and headers.get(b"content-length"):
            return problem(400, "usage", "The length of the body was told twice.")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return problem(413, "too_large", f"A body has at most {LARGEST_BODY} bytes.")
        if path == MCP_PATH and not headers.get(b"origin") and not headers.get(b"sec-fetch-site"):
            return None  # a question in the body of a POST, of a program: every browser sends an origin with it
        if user is not None and user.csrf is None:
            return None if user.role == "editor" else _readers_only()
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
        same = urlsplit(origin.decode("latin-1")).netloc.lower() == host.lower() if origin else site == b"same-origin"
        if not same or site in (b"cross-site", b"same-site"):
            return problem(403, "cross_site", "A change is asked for from a page of the room only.")
        if path == "/login":
            return None
        if user is None:
            return problem(
                401, "login", "A change needs a login.", "`channelscribe serve passwd NAME --role editor` makes one."
            )
        if path != "/logout" and user.role != "editor":
            return _readers_only()
        token = headers.get(CSRF_HEADER.encode(), b"").decode("latin-1")
        # A form without JavaScript sends it in its body, where the route looks.
        if token and not hmac.compare_digest(token, user.csrf):
            return problem(403, "csrf", "The page's token is wrong.", "Load the page again.")
        if not token and path.startswith("/api/"):
            return problem(403, "csrf", "A change needs the page's token, or a program's.", f"Send {CSRF_HEADER}.")
        return None

    def _wait(self, address: str) -> float:
        """Seconds until this address may ask again; 0: now. A token bucket for each address."""
        if not self.rate:
            return 0.0
        now, full = time.monotonic(), self.rate * BURST_SECONDS
        bucket = self._buckets.pop(address, None) or [full, now]
        left = min(full, bucket[0] + (now - bucket[1]) * self.rate)
        self._buckets[address] = [max(0.0, left - 1), now]
        if len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self.rate


def _readers_only() -> Response:
    return problem(403, "readers_only", "This login may read only.", "Ask for the role editor.")


async def _whole_body(receive: Receive) -> bytes | Response:
    """The body, which is small and comes soon; or what is said of one that is not or does not."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return Response(status_code=400)
                body += message.get("body", b"")
                if len(body) > LARGEST_BODY:
                    return problem(413, "too_large", f"A body has at most {LARGEST_BODY} bytes.")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        return problem(408, "slow", "The body did not come in time.")


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever comes."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message
