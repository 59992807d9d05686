"""What a source lists: the videos of a channel, playlist or feed, or the one video behind an address.

A flat listing: one request for a feed, one per page of a channel, none per video. Leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from yt_dlp.utils import unsmuggle_url  # type: ignore[import-untyped]
from yt_dlp.utils.networking import normalize_url  # type: ignore[import-untyped]

from channelscribe.errors import ChannelscribeError, NoMedia
from channelscribe.settings.options import SourceOptions
from channelscribe.sites.addresses import check_url, display_url
from channelscribe.sites.identifiers import safe_id
from channelscribe.sites.wording import classify
from channelscribe.sites.ytdlp import SafeYoutubeDL, YtdlpLog, open_ytdlp

__all__ = ["Kind", "ListedVideo", "Listing", "list_source", "published_on", "safe_id"]

Kind = Literal["channel", "playlist", "feed", "video"]
Info = dict[str, Any]

_log = logging.getLogger(__name__)
_GENERIC = "generic"
_FLAT = {"extract_flat": "in_playlist", "skip_download": True, "ignore_no_formats_error": True}
_DEEPEST = 2  # a channel holds tabs, a tab holds videos
_SERIAL_NUMBER = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """One entry of a listing. `duration` is in seconds, `position` counts from 0 in the source's own order.

    `video_id` is safe in paths and unique within `site` (the extractor that plays it, lower-case).
    """

    video_id: str
    site: str
    url: str
    title: str
    duration: float | None
    published: date | None
    live_status: str | None
    description: str | None
    position: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A source and what it lists. `source_id` is safe in paths; `site` is the extractor, lower-case."""

    site: str
    source_id: str
    title: str
    url: str
    kind: Kind
    videos: list[ListedVideo]


def list_source(url: str, options: SourceOptions, cache: Path | None = None) -> Listing:
    """Everything that `url` lists, each video once.

    `cache` is a folder where yt-dlp may keep players and tokens.

    Raises NotAURL, AddressRefused, and what `sites.wording` makes of yt-dlp's errors: SourceUnreachable,
    SourceNotFound, NoMedia, SourceBlocked, SignInRequired, VideoUnavailable, NotYet.
    """
    check_url(url, options.allow_private_addresses)
    try:
        with open_ytdlp(options, YtdlpLog(), cache, **_FLAT) as ydl:
            info = ydl.extract_info(url, download=False)
            return _listing(ydl, info, url)
    except ChannelscribeError:
        raise
    except Exception as error:
        raise classify(error, url) from error


def published_on(info: Info) -> date | None:
    """The day (UTC) on which yt-dlp says that a video was published."""
    for key in ("timestamp", "release_timestamp"):
        if info.get(key) is not None:
            try:
                return datetime.fromtimestamp(info[key], UTC).date()
            except (OverflowError, OSError, ValueError):
                continue
    try:
        return datetime.strptime(info.get("upload_date") or "", "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        return None


def _listing(ydl: SafeYoutubeDL, info: Info | None, url: str) -> Listing:
    if not info:
        raise NoMedia(f"{display_url(url)} has nothing to play.", remedy="Check the address.")
    site = _site(info)
    kind = _kind(info, site)
    entries = [info] if kind == "video" else list(_entries(ydl, info))
    videos: dict[tuple[str, str], ListedVideo] = {}
    for entry in entries:
        video = _listed(entry, site, len(videos))
        if video is not None:
            videos.setdefault((video.site, video.video_id), video)
    first = next(iter(videos.values()), None)
    source_id = first.video_id if kind == "video" and first else safe_id(str(info.get("id") or url))
    title = str(info.get("title") or display_url(url))
    return Listing(site, source_id, title, url, kind, list(videos.values()))


def _entries(ydl: SafeYoutubeDL, info: Info, depth: int = 0) -> Iterator[Info]:
    """The videos of a playlist; what is itself a list (the tabs of a channel) is opened."""
    for entry in info.get("entries") or ():
        if not entry:
            continue
        if depth < _DEEPEST and entry.get("ie_key") and _is_list(ydl, entry):
            nested = ydl.extract_info(entry["url"], download=False, ie_key=entry["ie_key"])
            yield from _entries(ydl, nested or {}, depth + 1)
        else:
            yield entry


def _is_list(ydl: SafeYoutubeDL, entry: Info) -> bool:
    extractor = ydl.get_info_extractor(entry["ie_key"])
    return extractor.is_single_video(entry.get("url") or "") is False


def _kind(info: Info, site: str) -> Kind:
    if info.get("_type", "video") not in ("playlist", "multi_video"):
        return "video"
    # The generic extractor gives a feed the feed's URL as id, and a page with several players another id.
    if site == _GENERIC and "://" in str(info.get("id")):
        return "feed"
    return "channel" if info.get("id") in (info.get("channel_id"), info.get("uploader_id")) else "playlist"


def _site(info: Info) -> str:
    """`youtube` for youtube:tab, Youtube and the like: a video has one site, wherever it is listed."""
    name = str(info.get("extractor") or info.get("ie_key") or _GENERIC).partition(":")[0].lower()
    return name if re.fullmatch(r"[a-z0-9_.+-]+", name) and name.strip(".") else _GENERIC


def _listed(entry: Info, listing_site: str, position: int) -> ListedVideo | None:
    raw_url = str(entry.get("webpage_url") or entry.get("url") or "")
    url, hidden = unsmuggle_url(raw_url, {})
    url = normalize_url(url)  # feeds have spaces and umlauts in addresses
    if urlsplit(url).scheme not in ("http", "https"):
        _log.warning("left out an entry without an http address: %r", str(entry.get("title"))[:100])
        return None
    known = entry.get("ie_key") or entry.get("extractor")
    site = _site(entry) if known else listing_site
    guid = hidden.get("force_videoid")
    video_id = _generic_id(url, guid) if site == _GENERIC else safe_id(str(entry.get("id") or url))
    return ListedVideo(
        video_id=video_id,
        site=site,
        url=url,
        title=str(entry.get("title") or entry.get("id") or video_id),
        duration=float(entry["duration"]) if entry.get("duration") is not None else None,
        published=published_on(entry),
        live_status=entry.get("live_status"),
        description=entry.get("description"),
        position=position,
    )


def _generic_id(url: str, guid: str | None) -> str:
    """A feed's guid, else an id made of the media's address.

    Feeds should choose guids that no other feed has; one that merely counts is made unique by its host's
    name.
    """
    parts = urlsplit(url)
    if guid and guid.strip():
        guid = guid.strip()
        return safe_id(f"{guid}@{parts.hostname}" if _SERIAL_NUMBER.fullmatch(guid) else guid)
    name = parts.path.rpartition("/")[2].rpartition(".")[0] or parts.hostname or "media"
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    return f"{safe_id(name)[:80]}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
