"""What a listing is, and its videos on disk: a channel may have a hundred thousand, and memory must not grow with them.

Leaves one unnamed temporary file, which goes with the object.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal

from channelscribe.errors import ChannelscribeError

__all__ = ["Kind", "ListedVideo", "Listing", "VideoSpool"]

Kind = Literal["channel", "playlist", "feed", "folder", "video"]

_IN_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """One entry of a listing. `duration` is in seconds, `position` counts from 0 in the source's own order.

    `video_id` is safe in paths and unique within `site` (the extractor that plays it, lower-case). `published` may
    be late where a site tells it in words ("2 years ago"), never early. `tab` is videos, shorts or streams.

    Of an episode of a feed: its `guid`, which `file` of the show it is (see `identifiers.file_of`) with the bytes that
    are announced, and what else the feed says (`about`: page, season, number, author, image, people, transcripts,
    chapters_url). `former` is a name that it may have in older libraries, as an id or as a site; `replaced` is set by
    the catalogue, where another recording took the place of one that is there.
    """

    video_id: str
    site: str
    url: str
    title: str
    duration: float | None = None
    published: date | None = None
    live_status: str | None = None
    description: str | None = None
    position: int = 0
    availability: str | None = None
    release_at: datetime | None = None
    tab: str | None = None
    guid: str | None = None
    file: str | None = None
    announced_bytes: int | None = None
    about: dict[str, Any] = field(default_factory=dict)
    chapters: list[Any] = field(default_factory=list)
    former: str | None = None
    replaced: bool = False

    @property
    def season(self) -> str | None:
        """The number of an episode's season, as the feed tells it."""
        return self.about.get("season")


_NAMES = [field.name for field in fields(ListedVideo)]


class VideoSpool:
    """A list of ListedVideo that can be added to and gone through, over and over."""

    def __init__(self) -> None:
        # Text with surrogates that a site sent survives: json escapes them.
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, mode="w+", encoding="ascii")  # noqa: SIM115
        self._count = 0

    def append(self, video: ListedVideo) -> None:
        row = asdict(video)
        row["published"] = video.published.isoformat() if video.published else None
        row["release_at"] = video.release_at.isoformat() if video.release_at else None
        self._file.write(json.dumps([row[name] for name in _NAMES]) + "\n")
        self._count += 1

    def __len__(self) -> int:
        """How many were added, a video that is listed twice twice."""
        return self._count

    def __contains__(self, video: object) -> bool:
        return any(each == video for each in self)

    def __iter__(self) -> Iterator[ListedVideo]:
        self._file.seek(0)
        for line in self._file:
            row = dict(zip(_NAMES, json.loads(line), strict=True))
            row["published"] = date.fromisoformat(row["published"]) if row["published"] else None
            row["release_at"] = datetime.fromisoformat(row["release_at"]) if row["release_at"] else None
            yield ListedVideo(**row)


@dataclass(slots=True)
class Listing:
    """A source and what it lists. `source_id` is safe in paths; `site` is the extractor, lower-case.

    `videos` may name a video more than once (a channel's tabs share some). It is not `complete` when only the newest
    were looked at, or when the site failed on the way; then `error` says how. `notes` say what was left out, and where
    what was asked for has gone.

    Of a feed: `feed` is its key (`identifiers.feed_key`), `memory` what the next listing needs of this one (JSON), and
    `unchanged` says that nothing is new since the memory that was given was written; then there are no videos.
    """

    site: str
    source_id: str
    title: str
    url: str
    kind: Kind
    videos: Collection[ListedVideo] = field(default_factory=VideoSpool)
    complete: bool = True
    error: ChannelscribeError | None = None
    notes: list[str] = field(default_factory=list)
    feed: str | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    unchanged: bool = False
