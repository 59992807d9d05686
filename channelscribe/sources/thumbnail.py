"""The picture of a video, for the cover of its archive. A missing or strange one costs only itself."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

from yt_dlp.networking.exceptions import RequestError  # type: ignore[import-untyped]

from channelscribe.errors import ChannelscribeError
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import display_url, with_login
from channelscribe.sources.entries import Info
from channelscribe.sources.ytdlp import SafeYoutubeDL, YtdlpLog, open_ytdlp, signed_in

__all__ = ["LARGEST_BYTES", "fetch_image", "fetch_thumbnail"]

LARGEST_BYTES = 5_000_000

_log = logging.getLogger(__name__)


def fetch_image(url: str, media_url: str, target: Path, options: SourceOptions) -> Path | None:
    """The same of the picture that a feed names for an episode, with the password of its host."""
    plain, own = signed_in(with_login(url, media_url), options)
    with open_ytdlp(own, YtdlpLog()) as ydl:
        return fetch_thumbnail(ydl, {"thumbnail": plain}, target)


def fetch_thumbnail(ydl: SafeYoutubeDL, info: Info, target: Path) -> Path | None:
    """Fetches the picture that the page names to `target`, as it is; None where there is none that can be had.

    Its address is checked as every other; what the bytes are is for `audio.cover` to find out.
    """
    url = str(info.get("thumbnail") or "")
    if urlsplit(url).scheme not in ("http", "https"):
        return None
    try:
        with ydl.urlopen(url) as response:
            content = response.read(LARGEST_BYTES + 1)
    except (RequestError, ChannelscribeError, OSError, ValueError) as error:
        _log.info("no cover: %s: %s", display_url(url), error)
        return None
    if not content or len(content) > LARGEST_BYTES:
        _log.info("no cover: %s has %d bytes or more", display_url(url), len(content))
        return None
    target.write_bytes(content)
    return target
