"""Whom a request goes to, as far as bans and budgets are concerned. Needs yt-dlp; asks nobody."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from yt_dlp.extractor import gen_extractor_classes  # type: ignore[import-untyped]
from yt_dlp.globals import all_plugins_loaded  # type: ignore[import-untyped]
from yt_dlp.plugins import load_all_plugins  # type: ignore[import-untyped]

import channelscribe.sources.ytdlp  # noqa: F401 - says where plugins may come from

__all__ = ["scope_of", "scope_of_video"]

_GENERIC = "generic"


def scope_of_video(site: str, url: str) -> str:
    """The site's name; the host for what only yt-dlp's generic extractor reads, since that is not one site."""
    return site if site != _GENERIC else (urlsplit(url).hostname or _GENERIC)


@lru_cache(maxsize=1024)
def scope_of(url: str) -> str:
    """The scope of a source that was never listed: the site of the extractor that says it can read the URL."""
    if not all_plugins_loaded.value:
        load_all_plugins()
    found = (each for each in gen_extractor_classes() if each.suitable(url) and each.IE_NAME != _GENERIC)
    first = next(found, None)
    return scope_of_video(first.IE_NAME.partition(":")[0].lower() if first else _GENERIC, url)
