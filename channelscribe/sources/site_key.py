"""Whom a request goes to, as far as bans and budgets are concerned. Needs yt-dlp; asks nobody."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from yt_dlp.extractor import gen_extractor_classes  # type: ignore[import-untyped]
from yt_dlp.globals import all_plugins_loaded  # type: ignore[import-untyped]
from yt_dlp.plugins import load_all_plugins  # type: ignore[import-untyped]

import channelscribe.sources.ytdlp  # noqa: F401 - says where plugins may come from
from channelscribe.sources.identifiers import FEED, GENERIC, LOCAL, site_name

__all__ = ["is_known_site", "scope_of", "scope_of_video"]


def scope_of_video(site: str, url: str) -> str:
    """The site's name; the host for episodes of feeds and what only yt-dlp's generic extractor reads: no one site."""
    return site if site not in (GENERIC, FEED) else (urlsplit(url).hostname or GENERIC)


def scope_of(url: str) -> str:
    """The scope of a source that was never listed: the site of the extractor that says it can read the URL."""
    return LOCAL if url.startswith("file:") else scope_of_video(_site(url), url)


def is_known_site(url: str) -> bool:
    """Whether yt-dlp has an extractor for this address, not only its generic one."""
    return _site(url) != GENERIC


@lru_cache(maxsize=1024)
def _site(url: str) -> str:
    if not all_plugins_loaded.value:
        load_all_plugins()
    found = (each for each in gen_extractor_classes() if each.suitable(url) and each.IE_NAME != GENERIC)
    first = next(found, None)
    return site_name(first.IE_NAME) if first else GENERIC
