"""Addresses that are the media file themselves, as a feed's enclosures are: fetched with one request.

yt-dlp's generic extractor would open the file, look at its first bytes and hang up, and the download would ask again.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from channelscribe.sources.entries import GENERIC, Info
from channelscribe.sources.site_key import scope_of

__all__ = ["direct_media"]

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
