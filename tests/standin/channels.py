"""What the stand-in site holds: channels with their tabs, playlists, videos. Tests change these while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

Tab = Literal["videos", "shorts", "streams"]
SaysAs = Literal["error", "unexpected", "login", "geo", "not_live"]


@dataclass
class Video:
    """One video. Seconds, bytes, and seconds since the epoch; `live_status` and `availability` as yt-dlp has them.

    `says` is the sentence with which the site refuses to play it, raised as `says_as`. `listed` replaces fields of
    its entry in listings, `page` of its own page: what a listing says and what is so are not always the same.
    """

    id: str
    title: str = ""
    tab: Tab = "videos"
    duration: float | None = -1.0  # that of the site's sound
    live_status: str | None = None
    availability: str | None = None
    timestamp: int | None = 1_700_000_000
    release_timestamp: int | None = None
    uploader: str | None = None
    description: str = "A video of the stand-in site."
    chapters: list[dict[str, Any]] = field(default_factory=list)
    says: str | None = None
    says_as: SaysAs = "error"
    countries: list[str] | None = None
    media: bytes | None = None  # of the original track; the site's sound
    filesize: int | None = -1  # that of the media
    language: str = "en"
    cut_after: int | None = None  # bytes, then the connection breaks: each time, with ranges too
    chunked: bool = False  # no length is told, ranges are ignored
    refused_signatures: int = 0  # this many of the next pages give media addresses that answer 403
    listed: dict[str, Any] = field(default_factory=dict)
    page: dict[str, Any] = field(default_factory=dict)


class Generated(Sequence[Video]):
    """A tab of `size` videos that are made when they are asked for and not kept."""

    def __init__(self, size: int, make: Callable[[int], Video]) -> None:
        self._numbers = range(size)
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Video: ...

    @overload
    def __getitem__(self, index: slice) -> list[Video]: ...

    def __getitem__(self, index: int | slice) -> Video | list[Video]:
        if isinstance(index, slice):
            return [self._make(number) for number in self._numbers[index]]
        return self._make(self._numbers[index])


@dataclass
class Channel:
    """A channel, its newest videos first. `tabs_as_urls`: its listing names the tabs instead of opening them."""

    url: str
    name: str
    title: str
    tabs: dict[str, Sequence[Video]]
    tabs_as_urls: bool = False

    def publish(self, *videos: Video) -> None:
        """Put `videos` at the head of their tabs, the first one on top."""
        for video in reversed(videos):
            self.tabs[video.tab] = [video, *self.tabs.get(video.tab, ())]

    def remove(self, video_id: str) -> None:
        """Take a video out of all tabs; a tab stays, even empty."""
        self.tabs = {tab: [each for each in videos if each.id != video_id] for tab, videos in self.tabs.items()}

    def about(self, tab: str = "") -> dict[str, Any]:
        return {
            "playlist_id": f"UC{self.name}",
            "playlist_title": self.title + (f" - {tab.title()}" if tab else ""),
            "channel": self.title,
            "channel_id": f"UC{self.name}",
            "uploader": self.title,
            "uploader_id": f"@{self.name}",
            "channel_url": self.url,
        }


@dataclass
class Playlist:
    """A list of videos of any channels, in its own order."""

    url: str
    id: str
    title: str
    videos: list[Video]

    def about(self) -> dict[str, Any]:
        return {"playlist_id": self.id, "playlist_title": self.title}
