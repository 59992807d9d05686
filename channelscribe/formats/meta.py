"""What a transcript file says about its video. Titles come from anywhere: each format cleans them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["VideoMeta"]


@dataclass(frozen=True, slots=True)
class VideoMeta:
    """`published` is an ISO 8601 date or time."""

    title: str
    url: str
    id: str | None = None
    channel: str | None = None
    published: str | None = None
