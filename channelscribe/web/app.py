"""The reading room as one ASGI application: `create_app(room)`; `serve` runs it until it is stopped.

Needs a catalogue and a store, no engine. Every failure is told as a problem to programs and as a page to people.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from channelscribe import __version__
from channelscribe.errors import ChannelscribeError, StackError, UsageError
from channelscribe.local_stack import running_addresses
from channelscribe.local_stack.places import places_of
from channelscribe.notify.atom import feed_of
from channelscribe.settings import Settings
from channelscribe.store import MediaStore
from channelscribe.web.access import Access, Logins
from channelscribe.web.answers import Recent, problem, status_of
from channelscribe.web.api import api
from channelscribe.web.events import Events
from channelscribe.web.guard import MCP_PATH, Guard
from channelscribe.web.pages import error_page, pages
from channelscribe.web.people import people

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from channelscribe.catalogue.connection import Database

__all__ = ["Room", "address", "create_app", "logins_of", "room_of", "serve"]

THREADS = 12
"""Requests that read at once: the catalogue's pool has 15 connections, and exports hold some."""
LOGINS = "logins.json"

_log = logging.getLogger(__name__)


@dataclass
class Room:
    """What the routes stand on. `prefect_api_url` is asked when work is asked for: the server may come later."""

    database: Database
    store: MediaStore
    settings: Settings
    logins: Logins
    host: str
    prefect_api_url: Callable[[], str | None] = lambda: None
    events: Events = field(init=False)
    access: Access = field(init=False)
    recent: Recent = field(default_factory=Recent)

    def __post_init__(self) -> None:
        self.events = Events(self.database)
        self.access = Access(self.settings.web, self.logins, self.host)


def logins_of(settings: Settings) -> Logins:
    return Logins(places_of(settings.data_dir).data / LOGINS)


def room_of(settings: Settings, database: Database, host: str) -> Room:
    """The room of the library that the settings name."""
    store = MediaStore(settings.store.url or str(places_of(settings.data_dir).library), settings.store)

    def prefect() -> str | None:
        return running_addresses(settings).prefect_api_url

    return Room(database, store, settings, logins_of(settings), host, prefect)


class _Assistants:
    """`/mcp`, made when it is first asked for: its SDK takes a second to load, which most rooms never need."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._lock = asyncio.Lock()
        self._app: ASGIApp | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._lock:
            if self._app is None:
                self._app = await self._started()
        await self._app(scope, receive, send)

    async def _started(self) -> ASGIApp:
        server, app = await anyio.to_thread.run_sync(self._made)
        running = asyncio.Event()

        async def keep() -> None:  # what it runs begins and ends in one task
            async with server.session_manager.run():
                running.set()
                await self._ended.wait()

        self._keeper = asyncio.create_task(keep())
        await running.wait()
        return app

    def _made(self) -> tuple[Any, ASGIApp]:
        from mcp.server.transport_security import TransportSecuritySettings

        from channelscribe.web.assistants import mcp_server

        server = mcp_server(self._room.database)
        guarded = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # the guard is before it
        app = server.streamable_http_app(
            streamable_http_path=MCP_PATH, json_response=True, stateless_http=True, transport_security=guarded
        )
        return server, app

    async def close(self) -> None:
        self._ended.set()
        if self._keeper is not None:
            await self._keeper


def create_app(room: Room) -> Guard:
    assistants = _Assistants(room)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        await assistants.close()
        await room.events.close()

    app = FastAPI(
        title="channelscribe",
        version=__version__,
        description="What was said in the channels of this library, word by word. See docs/reading-room.md.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # their pages load scripts of others
        redoc_url=None,
        lifespan=lifespan,
        default_response_class=Response,
        redirect_slashes=False,
    )
    app.include_router(api(room))
    app.include_router(pages(room))
    app.include_router(people(room))
    if find_spec("mcp") is not None:  # the extra `mcp`
        app.router.routes.append(Route(MCP_PATH, assistants))

    @app.get("/health", include_in_schema=False)
    def health() -> Response:
        with room.database.connection():
            return Response("ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})

    @app.get("/watches/{name}.atom", include_in_schema=False)
    def feed(name: str) -> Response:
        text = room.database.read(feed_of, name)
        if text is None:
            raise HTTPException(404)
        return Response(text, media_type="application/atom+xml; charset=utf-8", headers={"Cache-Control": "no-cache"})

    def told(request: Request, status: int, reason: str, detail: str, remedy: str = "", **more: Any) -> Response:
        if request.url.path.startswith("/api/"):
            return problem(status, reason, detail, remedy, **more)
        return error_page(request, status, detail, remedy)

    @app.exception_handler(ChannelscribeError)
    def ours(request: Request, error: ChannelscribeError) -> Response:
        status = status_of(error)
        if status == 500:
            _log.error("%s", error)
        return told(request, status, error.reason, error.message, error.remedy)

    @app.exception_handler(RequestValidationError)
    def wrong(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return told(request, 400, "usage", f"{where[:100]}: {first['msg']}.", "See /api/v1/openapi.json.")

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        reasons = {404: ("not_found", "There is no such page."), 405: ("usage", "That cannot be done here.")}
        reason, detail = reasons.get(error.status_code, ("usage", str(error.detail)))
        return told(request, error.status_code, reason, detail, headers=dict(error.headers or {}))

    @app.exception_handler(Exception)
    def unknown(request: Request, error: Exception) -> Response:
        _log.error("unexpected", exc_info=error)
        return told(request, 500, "internal", "Something went wrong here.", "The log of the reading room says more.")

    endpoint = urlsplit(room.settings.store.endpoint_url or "https://*.amazonaws.com")
    media = f"{endpoint.scheme}://{endpoint.netloc}" if room.settings.web.presign else ""
    return Guard(app, access=room.access, host=room.host, media=media)


def address(text: str) -> tuple[str, int]:
    """Raises UsageError for what is no HOST:PORT."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"{text!r} is no address.", remedy="Give HOST:PORT, such as 127.0.0.1:4300.")
    return host.strip("[]"), int(port)


def serve(room: Room, port: int, ready: Callable[[str], None]) -> None:
    """Listen until SIGINT or SIGTERM; `ready` hears the address. Raises StackError where the port is taken."""
    import socket

    import uvicorn

    room.access.require_a_way_in(room.host)
    family = socket.AF_INET6 if ":" in room.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((room.host, port))
    except OSError as error:
        raise StackError(
            f"{room.host}:{port} cannot be listened on: {error.strerror or error}.",
            remedy="Choose another port with --listen.",
        ) from None
    config = uvicorn.Config(
        create_app(room),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=10,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=32 << 10,
        limit_concurrency=4000,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            shown = f"[{room.host}]" if ":" in room.host else room.host
            ready(f"http://{shown}:{listener.getsockname()[1]}/")

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await room.events.close()  # streams would keep it waiting
            await super().shutdown(sockets)

    Server(config).run(sockets=[listener])
