"""Which video of the library is an episode that a feed lists? By its guid within the feed, not by where its file is.

A feed that moves is the same feed, wherever its files are then, and a file that was synced by its address alone is the
episode that a feed lists. What is new gets an id that no other feed's episode has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from channelscribe.catalogue.connection import clean_text, execute
from channelscribe.sources.addresses import public_url
from channelscribe.sources.identifiers import FEED, GENERIC, episode_id, file_of, guid_of, same_place

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.sources.spool import ListedVideo, Listing

__all__ = ["feed_of", "identified"]

ENOUGH = 500
"""So many of a feed's guids tell whether it is one that is known."""

# Who may be the same show: by podcast:guid, by where a feed said that it went, by name and home.
CANDIDATES = """
SELECT feed, min(id) AS first FROM source
WHERE feed IS NOT NULL AND (url = :url OR feed = :feed OR memory->>'guid' = :guid
    OR memory->>'url' IN (:whole, :now) OR coalesce(private_url, url) = :now
    OR (lower(title) = lower(:title) AND memory->>'link' = :link))
GROUP BY feed ORDER BY bool_or(url = :url) DESC, first
"""
SHARED = """
SELECT count(*) AS listed, EXISTS (SELECT FROM video WHERE feed = :feed) AS any,
    count(*) FILTER (WHERE EXISTS (SELECT FROM video WHERE feed = :feed AND video.guid = listed.guid)) AS known
FROM unnest(CAST(:guids AS text[])) AS listed(guid)
"""
KNOWN = """
SELECT site, video_id, feed, guid, file, url, duration, announced_bytes,
    state IN ('downloaded', 'transcribed', 'published') AS fetched
FROM video WHERE feed = :feed OR (feed IS NULL AND site = :generic AND file = ANY(:files)) ORDER BY id
"""
ALONE = """
SELECT site, video_id, url FROM video WHERE file = :file AND (feed IS NOT NULL OR site = :generic)
ORDER BY feed IS NULL, id
"""
SECONDS_APART = 2.0


def feed_of(session: Session, listing: Listing) -> str | None:
    """The key of the feed that a listing is of; that of a known one where it is the same show. None for no feed."""
    if listing.feed is None:
        return None
    guids = [clean_text(video.guid) for video in islice(listing.videos, ENOUGH) if video.guid]
    memory = listing.memory or {}
    given = {
        "url": public_url(listing.url, distinct=True),
        "whole": listing.url,
        "feed": listing.feed,
        "guid": memory.get("guid"),
        "now": memory.get("url"),
    }
    named = {"title": clean_text(listing.title), "link": clean_text(memory.get("link") or "") or None}
    for feed, _ in execute(session, CANDIDATES, **given, **named).all():
        if feed == listing.feed:
            return str(feed)
        shared = execute(session, SHARED, feed=feed, guids=guids).mappings().one()
        # A guid that two shows have by mistake makes them no one show.
        if not shared["any"] or not guids or 2 * shared["known"] >= shared["listed"]:
            return str(feed)
    return str(listing.feed)


def identified(session: Session, listing: Listing, feed: str | None) -> Iterable[ListedVideo]:
    """The listed videos under the names by which the library knows them."""
    if feed is not None:
        return list(_episodes(session, list(listing.videos), feed))
    if listing.site == GENERIC:
        return [_alone(session, video) for video in listing.videos]
    return listing.videos


class _Known:
    """The episodes of a feed, by what they can be recognized by."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self.by_guid: dict[str, list[Any]] = {}
        self.by_file: dict[str, list[Any]] = {}
        self.by_id = {row["video_id"]: row for row in rows if row["feed"]}
        self.alone = {same_place(row["url"]): row for row in rows if not row["feed"]}
        for row in rows:
            if row["feed"]:
                self.by_file.setdefault(row["file"] or "", []).append(row)
                if row["guid"]:
                    self.by_guid.setdefault(row["guid"], []).append(row)

    def find(self, video: ListedVideo, guid_is_shared: bool) -> Any:
        guid, same_file = clean_text(video.guid or ""), self.by_file.get(video.file or "", [])
        with_guid = self.by_guid.get(guid, []) if guid else []
        for row in with_guid:
            if row["file"] == video.file:
                return row
        if with_guid and not guid_is_shared and len(with_guid) == 1:
            return with_guid[0]
        # The names of episodes that were there before guids were kept.
        former = self.by_id.get(video.former or "")
        if former is not None and not former["guid"] and not (guid_is_shared and former["file"] != video.file):
            return former
        untold = [row for row in same_file if not row["guid"] or not guid]
        if len(untold) == 1:
            return untold[0]
        return self.alone.get(same_place(video.url))


def _episodes(session: Session, videos: Sequence[ListedVideo], feed: str) -> Iterator[ListedVideo]:
    files = [clean_text(video.file or "") for video in videos]
    rows = execute(session, KNOWN, feed=feed, files=files, generic=GENERIC).mappings().all()
    known, shared = _Known(rows), _shared_guids(videos)
    for video in videos:
        is_shared = video.guid in shared
        row = known.find(video, is_shared)
        if row is not None:
            yield replace(video, site=row["site"], video_id=row["video_id"], replaced=_replaced(row, video))
        else:
            yield replace(video, site=FEED, video_id=episode_id(feed, guid_of(video.guid, video.file or "", is_shared)))


def _shared_guids(videos: Iterable[ListedVideo]) -> set[str]:
    files: dict[str, set[str | None]] = {}
    for video in videos:
        if video.guid:
            files.setdefault(video.guid, set()).add(video.file)
    return {guid for guid, found in files.items() if len(found) > 1}


def _replaced(row: Any, video: ListedVideo) -> bool:
    """Whether there is another recording now. A new host alone, or a new token, says nothing of that."""
    if not row["fetched"]:
        return False
    if row["duration"] and video.duration and abs(row["duration"] - video.duration) > SECONDS_APART:
        return True
    if (urlsplit(row["url"]).hostname or "") != (urlsplit(video.url).hostname or ""):
        return False
    resized = row["announced_bytes"] and video.announced_bytes and row["announced_bytes"] != video.announced_bytes
    return bool(resized) or row["file"] != video.file


def _alone(session: Session, video: ListedVideo) -> ListedVideo:
    """A file by its address alone is an episode where a feed lists it."""
    video = replace(video, file=file_of(video.url))
    rows = execute(session, ALONE, file=clean_text(video.file or ""), generic=GENERIC).mappings()
    place = same_place(video.url)
    for row in rows:
        if same_place(row["url"]) == place:
            return replace(video, site=row["site"], video_id=row["video_id"])
    return video
