"""Listed videos on disk: a channel may have a hundred thousand, and a listing must not grow with them in memory.

Leaves one unnamed temporary file, which goes with the object.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime

__all__ = ["ListedVideo", "VideoSpool"]

_IN_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """One entry of a listing. `duration` is in seconds, `position` counts from 0 in the source's own order.

    `video_id` is safe in paths and unique within `site` (the extractor that plays it, lower-case). `published` may
    be late where a site tells it in words ("2 years ago"), never early. `tab` is videos, shorts or streams.
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

    def __iter__(self) -> Iterator[ListedVideo]:
        self._file.seek(0)
        for line in self._file:
            row = dict(zip(_NAMES, json.loads(line), strict=True))
            row["published"] = date.fromisoformat(row["published"]) if row["published"] else None
            row["release_at"] = datetime.fromisoformat(row["release_at"]) if row["release_at"] else None
            yield ListedVideo(**row)
