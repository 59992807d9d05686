"""Records for the tests of the catalogue: listings, transcripts, and videos that have one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from channelscribe.catalogue import leases, listings, publishing, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.tables import VideoRow
from channelscribe.sources.spool import ListedVideo, Listing
from channelscribe.transcript import Segment, Transcript, Turn, Word

SITE = "youtube"
OWNER = "run-1"


def Video(video_id: str, title: str = "A title", **facts: Any) -> ListedVideo:  # noqa: N802 - as if it were the class
    """What a listing says of one video."""
    known = {"site": SITE, "duration": 60.0, "published": date(2024, 5, 1), **facts}
    known["url"] = known.get("url") or (f"https://www.youtube.com/watch?v={video_id}")
    return ListedVideo(video_id=video_id, title=title, **known)


def Listed(videos: Sequence[ListedVideo] = (), **facts: Any) -> Listing:  # noqa: N802
    """A listing of a channel."""
    known = {"site": SITE, "source_id": "UC1", "title": "Channel One", "url": "https://www.youtube.com/@one"}
    return Listing(**{**known, "kind": "channel", **facts}, videos=list(videos))


def with_videos(catalogue: Database, count: int) -> list[VideoRow]:
    """`count` discovered videos v0, v1, …"""
    report = catalogue.run(listings.record_listing, Listed([Video(f"v{n}", position=n) for n in range(count)]))
    return catalogue.run(leases.due, report.source_pk)


def spoken(*texts: str, language: str = "en", speaker: str | None = "S0") -> Transcript:
    """A transcript with one segment of two seconds for each text."""
    segments = []
    for place, text in enumerate(texts):
        start, words = place * 2.0, text.split()
        step = 2.0 / max(len(words), 1)
        segments.append(
            Segment(
                start,
                start + 2.0,
                text,
                speaker,
                -0.25,
                [Word(word, start + step * n, start + step * (n + 1), 0.5, speaker) for n, word in enumerate(words)],
            )
        )
    turns = [Turn(0.0, 2.0 * len(texts), speaker)] if speaker else []
    return Transcript(language, 2.0 * len(texts), segments, turns, {"recognizer": {"name": "tiny"}})


def published(
    catalogue: Database,
    transcript: Transcript,
    video: ListedVideo,
    source: Listing | None = None,
    *,
    heard: dict[str, Any] | None = None,
    identity: str | None = None,
) -> VideoRow:
    """A video with this transcript, through all that a run does in the catalogue."""
    listing = source or Listed()
    listing.videos = [video]
    listing.complete = False
    report = catalogue.run(listings.record_listing, listing)
    row = next(row for row in catalogue.run(videos.list_videos, report.source_pk) if row.video_id == video.video_id)
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)
    catalogue.run(publishing.publish, row.id, OWNER, identity or f"{row.id:064x}", transcript, {}, {}, heard=heard)
    return row
