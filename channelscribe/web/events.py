"""What is going on, as it happens: server-sent events, fed by one LISTEN of PostgreSQL.

Triggers of the migration r0011 notify when a video's state or step changes. One connection hears that, one query a
moment reads what changed, and all who listen get the same bytes: a thousand idle listeners cost no query. SSE and not
WebSockets: nothing is sent back, proxies and `EventSource` know it, and a browser reconnects by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from channelscribe.errors import ChannelscribeError
from channelscribe.web import records
from channelscribe.web.answers import as_json

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Database

__all__ = ["CHANNEL", "Events"]

CHANNEL = "channelscribe_video"
MOMENT = 0.25
"""Seconds in which changes are gathered before they are read."""
HEARTBEAT = 25.0
"""Seconds of silence after which a comment keeps proxies from closing the stream."""
RECONNECT = 5.0
WAITING = 32
"""Events that a slow listener may be behind; then its stream ends, and its browser asks anew."""
MOST_LISTENERS = 2000

_log = logging.getLogger(__name__)


class Events:
    """Started with the first listener; `close` ends it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._changed: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self.listening = asyncio.Event()

    def is_full(self) -> bool:
        return len(self._listeners) >= MOST_LISTENERS

    async def stream(self) -> AsyncIterator[bytes]:
        """What one listener gets: first what is in work now, then changes."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(each()) for each in (self._hear, self._tell, self._keep)]
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        self._listeners.add(queue)
        try:
            yield b"retry: 5000\n\n" + await self._read(set())
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)

    async def close(self) -> None:
        for queue in list(self._listeners):
            _put(queue, None)
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _hear(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=10)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self.listening.set()
                    async for notice in connection.notifies():
                        if notice.payload.isdigit():
                            self._changed.add(int(notice.payload))
                            self._news.set()
            except (psycopg.Error, OSError) as error:
                _log.warning("the catalogue does not tell of changes: %s", type(error).__name__)
            self.listening.clear()
            await asyncio.sleep(RECONNECT)

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(MOMENT)
            self._news.clear()
            changed, self._changed = self._changed, set()
            if not self._listeners:
                continue
            try:
                self._send(await self._read(changed))
            except ChannelscribeError as error:
                _log.warning("%s", error)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            self._send(b":\n\n")

    def _send(self, event: bytes) -> None:
        for queue in list(self._listeners):
            _put(queue, event)

    async def _read(self, changed: set[int]) -> bytes:
        found = await asyncio.to_thread(self._database.read, records.videos_now, sorted(changed)[:500])
        return b"event: activity\ndata: " + as_json({"videos": found}) + b"\n\n"


def _put(queue: asyncio.Queue[bytes | None], event: bytes | None) -> None:
    try:
        queue.put_nowait(event)
    except asyncio.QueueFull:
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
