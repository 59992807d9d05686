"""What was asked of the stand-in site: the witness of tests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from channelscribe.sample.web import Request


@dataclass
class Asked(Request):
    """A request as it was answered, and when (seconds since the epoch)."""

    at: float = field(default_factory=time.time)

    @property
    def on(self) -> str:
        """What it asked for: `listing`, `page` (of a video) or `media`."""
        first = urlsplit(self.path).path.removeprefix("/standin/").partition("/")[0]
        return {"media": "media", "watch": "page", "shorts": "page"}.get(first, "listing")


class RequestLog:
    """Remembers requests, in the order in which they came."""

    def __init__(self) -> None:
        self._requests: list[Asked] = []
        self._lock = threading.Lock()

    def log(self, asked: Asked) -> None:
        with self._lock:
            self._requests.append(asked)

    @property
    def requests(self) -> list[Asked]:
        """What was asked for so far, in order."""
        with self._lock:
            return list(self._requests)

    def forget_requests(self) -> None:
        with self._lock:
            self._requests.clear()

    @property
    def listing_requests(self) -> list[Asked]:
        """Requests for channels, tabs, playlists and their pages."""
        return [each for each in self.requests if each.on == "listing"]

    def page_requests(self, video_id: str | None = None) -> list[Asked]:
        """Requests for the pages of videos."""
        ends = ("=", "/") if video_id is None else (f"={video_id}", f"/{video_id}")
        pages = [each for each in self.requests if each.on == "page"]
        return pages if video_id is None else [each for each in pages if each.path.endswith(ends)]

    def media_requests(self, video_id: str | None = None) -> list[Asked]:
        """Requests that got media content: no HEAD, no refusal. A resumed download has two."""
        return [
            each
            for each in self.requests
            if each.on == "media"
            and each.method == "GET"
            and each.status in (200, 206)
            and video_id in (None, urlsplit(each.path).path.split("/")[3])
        ]
