"""What yt-dlp tells, as ours: an entry of its listings as a ListedVideo, a page's facts; and addresses that are the
media file themselves, as a feed's enclosures are, which are fetched with one request without asking it.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from yt_dlp.extractor import get_info_extractor  # type: ignore[import-untyped]
from yt_dlp.utils import unsmuggle_url  # type: ignore[import-untyped]
from yt_dlp.utils.networking import normalize_url  # type: ignore[import-untyped]

from channelscribe.sources.identifiers import GENERIC, former_id, safe_id, site_name
from channelscribe.sources.site_key import scope_of
from channelscribe.sources.spool import ListedVideo

__all__ = [
    "GENERIC",
    "Info",
    "day_of",
    "direct_media",
    "listed_video",
    "moment",
    "page_facts",
    "published_on",
    "site_of",
]

Info = dict[str, Any]

_log = logging.getLogger(__name__)


def site_of(info: Info) -> str:
    """`youtube` for youtube:tab, Youtube and the like: a video has one site, wherever it is listed."""
    return site_name(str(info.get("extractor") or _extractor_of(str(info.get("ie_key") or "")) or GENERIC))


@lru_cache(maxsize=256)
def _extractor_of(key: str) -> str:
    """Lists tell the class of the extractor that plays an entry (TwitchVod), pages its name (twitch:vod)."""
    try:
        return str(get_info_extractor(key).IE_NAME) if key else ""
    except (AttributeError, KeyError):  # a plugin that is not here
        return key


def moment(seconds: Any) -> datetime | None:
    """Seconds since the epoch as a time of day (UTC); None for what is no such thing."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, OverflowError, OSError, ValueError):
        return None


def day_of(time: datetime, timezone: str | None) -> date:
    """The day of a point in time in a zone such as Europe/Berlin; None: this machine's."""
    return time.astimezone(ZoneInfo(timezone) if timezone else None).date()


def published_on(info: Info, timezone: str | None) -> date | None:
    """The day on which yt-dlp says that a video was published, in a zone such as Europe/Berlin; None: this machine's.

    A date without a time of day is the site's own.
    """
    for key in ("timestamp", "release_timestamp"):
        if (found := moment(info.get(key))) is not None:
            return day_of(found, timezone)
    try:
        return datetime.strptime(info.get("upload_date") or "", "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        return None


def listed_video(
    entry: Info, listing_site: str, position: int, tab: str | None, timezone: str | None
) -> ListedVideo | None:
    """The entry as a video; None for what has no http address. `tab` is the channel's tab it was found in."""
    raw_url = str(entry.get("webpage_url") or entry.get("url") or entry.get("webpage_url_of_list") or "")
    url = normalize_url(unsmuggle_url(raw_url, {})[0])
    if urlsplit(url).scheme not in ("http", "https"):
        _log.warning("left out an entry without an http address: %r", str(entry.get("title"))[:100])
        return None
    known = entry.get("ie_key") or entry.get("extractor")
    site = site_of(entry) if known else listing_site
    former = site_name(str(entry["ie_key"])) if entry.get("ie_key") else site
    video_id = former_id(url, None) if site == GENERIC else safe_id(str(entry.get("id") or url))
    return ListedVideo(
        video_id=video_id,
        site=site,
        url=url,
        title=str(entry.get("title") or entry.get("id") or video_id),
        duration=float(entry["duration"]) if entry.get("duration") is not None else None,
        published=published_on(entry, timezone),
        live_status=entry.get("live_status"),
        description=entry.get("description"),
        position=position,
        availability=entry.get("availability"),
        release_at=moment(entry.get("release_timestamp")),
        tab=tab or ("shorts" if "/shorts/" in urlsplit(url).path else None),
        former=former if former != site else None,
    )


def page_facts(info: Info, url: str, timezone: str | None) -> ListedVideo:
    """What the page of the video at `url` says, with the facts that filters are about."""
    return ListedVideo(
        video_id=safe_id(str(info.get("id") or url)),
        site=site_of(info),
        url=url,
        title=str(info.get("title") or ""),
        duration=info.get("duration"),
        published=published_on(info, timezone),
        live_status=info.get("live_status"),
        availability=info.get("availability"),
        release_at=moment(info.get("release_timestamp")),
    )


_AUDIO = {"aac", "flac", "m4a", "m4b", "mp3", "oga", "ogg", "opus", "wav"}
_VIDEO = {"m4v", "mkv", "mov", "mp4", "webm"}


def direct_media(url: str) -> Info | None:
    """What yt-dlp's generic extractor would say of a media file, from its address alone; None for anything else.

    Whoever downloads it must still see that it is no page (`media.NotMediaError`).
    """
    parts = urlsplit(url)
    path = PurePosixPath(unquote(parts.path))
    extension = path.suffix.removeprefix(".").lower()
    if extension not in _AUDIO | _VIDEO or scope_of(url) != parts.hostname:
        return None
    name = re.sub(r"[\x00-\x1f]", "", path.stem)
    return {
        "id": name,
        "title": name,
        "url": url,
        "webpage_url": url,
        "ext": extension,
        "format_id": "direct",
        "vcodec": "none" if extension in _AUDIO else None,
        "extractor": GENERIC,
        "extractor_key": GENERIC.title(),
        "direct": True,
    }
