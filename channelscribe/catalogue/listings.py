"""Takes what a site listed into the catalogue: new, changed and vanished videos of one source, by sets.

Safe when the same or overlapping sources are listed at once: rows are locked in one order everywhere
(source, then videos by site and id).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from sqlmodel import Session

from channelscribe.catalogue.cleaning import clean_json
from channelscribe.catalogue.connection import execute

__all__ = ["ListedVideo", "Listing", "ListingReport", "record_listing"]


class ListedVideo(Protocol):
    """What a listing says of a video; None where it does not say. `site` is that of whoever plays it."""

    @property
    def site(self) -> str: ...
    @property
    def video_id(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def duration(self) -> float | None: ...
    @property
    def published(self) -> date | None: ...
    @property
    def live_status(self) -> str | None: ...
    @property
    def position(self) -> int | None: ...


class Listing(Protocol):
    """One source with all its videos. An attribute `complete = False` says that only a part was listed."""

    @property
    def site(self) -> str: ...
    @property
    def source_id(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def kind(self) -> str | None: ...
    @property
    def videos(self) -> Sequence[ListedVideo]: ...


@dataclass(frozen=True, slots=True)
class ListingReport:
    """Counts of one listing. `gone`: listed before, and now no more."""

    source_pk: int
    listed: int
    new: int
    changed: int
    gone: int


UPSERT_SOURCE = """
INSERT INTO source (site, source_id, url, title, kind, last_listed_at)
VALUES (:site, :source_id, :url, :title, :kind, now())
ON CONFLICT (url) DO UPDATE SET site = excluded.site, source_id = excluded.source_id,
    title = coalesce(nullif(excluded.title, ''), source.title), kind = excluded.kind, last_listed_at = now()
RETURNING id
"""

# A flat listing leaves out what a page would tell: a missing value never overwrites a known one. A video that was
# upcoming or live and now is not is checked again at once.
UPSERT_VIDEOS = """
INSERT INTO video AS known (site, video_id, url, title, description, duration, published, live_status)
SELECT site, video_id, url, coalesce(title, ''), description, duration, published, live_status
FROM jsonb_to_recordset(CAST(:videos AS jsonb)) AS listed(site text, video_id text, url text, title text,
    description text, duration double precision, published date, live_status text)
ORDER BY site, video_id
ON CONFLICT (site, video_id) DO UPDATE SET
    url = excluded.url,
    title = coalesce(nullif(excluded.title, ''), known.title),
    description = coalesce(excluded.description, known.description),
    duration = coalesce(excluded.duration, known.duration),
    published = coalesce(excluded.published, known.published),
    live_status = coalesce(excluded.live_status, known.live_status),
    next_check_at = CASE WHEN known.state = 'waiting' AND excluded.live_status <> known.live_status
        THEN now() ELSE known.next_check_at END,
    updated_at = now()
WHERE (known.url, known.title, known.description, known.duration, known.published, known.live_status)
    IS DISTINCT FROM (excluded.url, coalesce(nullif(excluded.title, ''), known.title),
    coalesce(excluded.description, known.description), coalesce(excluded.duration, known.duration),
    coalesce(excluded.published, known.published), coalesce(excluded.live_status, known.live_status))
RETURNING (xmax = 0) AS new
"""

LINK_VIDEOS = """
INSERT INTO source_video AS link (source_pk, video_pk, position)
SELECT :source, video.id, listed.position
FROM jsonb_to_recordset(CAST(:videos AS jsonb)) AS listed(site text, video_id text, position integer)
JOIN video USING (site, video_id)
ON CONFLICT (source_pk, video_pk) DO UPDATE SET position = excluded.position, gone_at = NULL
WHERE (link.position, link.gone_at) IS DISTINCT FROM (excluded.position, NULL)
"""

MARK_GONE = """
UPDATE source_video SET gone_at = now()
WHERE source_pk = :source AND gone_at IS NULL AND video_pk NOT IN (
    SELECT video.id FROM jsonb_to_recordset(CAST(:videos AS jsonb)) AS listed(site text, video_id text)
    JOIN video USING (site, video_id))
"""


def record_listing(session: Session, listing: Listing) -> ListingReport:
    """Write one listing in four statements, however many videos; a video listed twice counts once."""
    videos = {(video.site, video.video_id): video for video in reversed(listing.videos)}
    rows = json.dumps([_row(video) for video in videos.values()])
    source = clean_json({name: getattr(listing, name) or "" for name in ("source_id", "url", "title", "kind")})
    source_pk = execute(session, UPSERT_SOURCE, site=listing.site, **source).scalar_one()
    written = execute(session, UPSERT_VIDEOS, videos=rows).scalars().all()
    execute(session, LINK_VIDEOS, source=source_pk, videos=rows)
    gone = 0
    if getattr(listing, "complete", True):
        known = execute(session, MARK_GONE, source=source_pk, videos=rows)
        gone = known.rowcount
    new = sum(written)
    return ListingReport(source_pk, listed=len(videos), new=new, changed=len(written) - new, gone=gone)


def _row(video: ListedVideo) -> dict[str, Any]:
    names = ("site", "video_id", "url", "title", "description", "duration", "live_status", "position")
    row = {name: getattr(video, name) for name in names}
    row["published"] = video.published.isoformat() if video.published else None
    cleaned: dict[str, Any] = clean_json(row)
    return cleaned
