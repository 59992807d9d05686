"""What the stand-in site answers: listings page by page, the page of a video, and media with signed addresses."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.standin.channels import Channel, Playlist, Video

if TYPE_CHECKING:
    from tests.standin.site import StandinSite

SIGNATURE_SECONDS = 6 * 3600
DUBBED = {"acodec": "mp3", "vcodec": "none", "abr": 256, "language": "de", "language_preference": -1}
MUXED = {"acodec": "mp3", "vcodec": "avc1.42001E", "height": 360, "width": 640, "tbr": 500}
ORIGINAL = {"acodec": "mp3", "vcodec": "none", "abr": 64, "language_preference": 10}
WRONG_TRACK = b"not the original"
"""What the dubbed and the muxed format hold: whoever fetches them has chosen wrongly, and sees it."""


def listing_page(path: str) -> int:
    """The number of the page of a listing that `path` asks for, from 1."""
    continuation = parse_qs(urlsplit(path).query).get("continuation")
    return int(continuation[0].rpartition(":")[2]) if continuation else 1


def listing(site: StandinSite, path: str) -> dict[str, Any] | None:
    """The JSON of a channel, or of one page of a tab or playlist; None where there is none."""
    parts = urlsplit(path)
    query = parse_qs(parts.query)
    name = parts.path.removeprefix("/standin/").rstrip("/")
    if name == "playlist":
        name = f"playlist:{query['list'][0]}"
    elif name == "browse":
        name = query["continuation"][0].rpartition(":")[0]
    found = site.playlists.get(name.removeprefix("playlist:"))
    if found is not None:
        return _page(site, found.videos, found, name, listing_page(path))
    channel, _, tab = name.removeprefix("@").partition("/")
    return _of_channel(site, site.channels.get(channel), tab, name, listing_page(path))


def _of_channel(site: StandinSite, channel: Channel | None, tab: str, name: str, page: int) -> dict[str, Any] | None:
    if channel is None:
        return None
    if not tab:
        return {"about": channel.about(), "tabs": list(channel.tabs), "tabs_as_urls": channel.tabs_as_urls}
    if tab not in channel.tabs:
        return {"alert": f"This channel does not have a {tab} tab"}
    return _page(site, channel.tabs[tab], channel, name, page)


def _page(site: StandinSite, videos: Sequence[Video], of: Channel | Playlist, name: str, page: int) -> dict[str, Any]:
    start, end = (page - 1) * site.page_size, page * site.page_size
    about = of.about(name.partition("/")[2]) if isinstance(of, Channel) else of.about()
    return {
        "about": about,
        "entries": [_entry(site, each) for each in videos[start:end]],
        "continuation": f"{name}:{page + 1}" if end < len(videos) else None,
    }


def _entry(site: StandinSite, video: Video) -> dict[str, Any]:
    """A video as a listing shows it. Shorts have no length there, and no dates; those of others, yt-dlp guesses."""
    short = video.tab == "shorts"
    return {
        "path": f"/standin/shorts/{video.id}" if short else f"/standin/watch?v={video.id}",
        "id": video.id,
        "title": video.title or video.id,
        "duration": None if short or video.live_status in ("is_upcoming", "is_live") else site.seconds(video),
        "timestamp": None if short else video.timestamp,
        "live_status": "was_live" if video.live_status == "post_live" else video.live_status,
        "availability": video.availability,
        "release_timestamp": video.release_timestamp,
        **video.listed,
    }


def video_page(site: StandinSite, video: Video) -> bytes:
    """The page of a video, with a new signature for its media."""
    says = video.says
    if says is None and video.live_status == "is_upcoming":
        says = "This live event will begin in 2 hours."
    fields = {
        "id": video.id,
        "title": video.title or video.id,
        "duration": None if video.live_status in ("is_upcoming", "is_live") else site.seconds(video),
        "timestamp": video.timestamp,
        "release_timestamp": video.release_timestamp,
        "live_status": video.live_status or "not_live",
        "availability": video.availability or "public",
        "description": video.description,
        "uploader": video.uploader,
        "chapters": video.chapters,
        "formats": [] if says is not None else _formats(site, video),
        "says": says,
        "says_as": video.says_as,
        "countries": video.countries,
        **video.page,
    }
    text = json.dumps(fields).replace("<", "\\u003c")
    return f'<!doctype html><script id="video" type="application/json">{text}</script>\n'.encode()


def _formats(site: StandinSite, video: Video) -> list[dict[str, Any]]:
    signed = f"expire={int(time.time()) + SIGNATURE_SECONDS}&sig={site.sign(video)}"
    size = len(site.media_of(video)) if video.filesize == -1 else video.filesize
    kinds: dict[str, dict[str, Any]] = {
        "140": {**ORIGINAL, "language": video.language, "ext": site.extension, "filesize": size},
        "140-dubbed": {**DUBBED, "ext": site.extension, "filesize": size},
        "18": {**MUXED, "ext": "mp4"},
    }
    return [
        {"format_id": name, "url": f"/standin/media/{video.id}/{name}.{kind['ext']}?{signed}", **kind}
        for name, kind in kinds.items()
    ]
