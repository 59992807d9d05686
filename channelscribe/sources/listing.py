"""What a source lists: the videos of a channel, playlist or feed, or the one video behind an address.

A flat listing: one request for a feed, one per page of a channel, none per video. Entries are taken page by page
as yt-dlp reads them, and kept on disk: memory does not grow with the channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from yt_dlp.utils import PagedList  # type: ignore[import-untyped]

from channelscribe.errors import ChannelscribeError, NoMedia
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import check_url, display_url, public_url, with_login
from channelscribe.sources.entries import Info, direct_media, listed_video, site_of
from channelscribe.sources.error_classification import classify
from channelscribe.sources.error_patterns import NOTHING_TO_PLAY_REMEDY
from channelscribe.sources.folders import list_folder
from channelscribe.sources.identifiers import safe_id
from channelscribe.sources.polling import list_feed
from channelscribe.sources.site_key import is_known_site
from channelscribe.sources.spool import Kind, ListedVideo, Listing, VideoSpool
from channelscribe.sources.subscriptions import directory_of
from channelscribe.sources.ytdlp import SafeYoutubeDL, YtdlpLog, open_ytdlp, signed_in

__all__ = ["AllKnown", "Kind", "ListedVideo", "Listing", "list_source"]

AllKnown = Callable[[Sequence[ListedVideo]], bool]
"""Whether all of some videos were listed before."""

SHORT_LOOK = 30
"""So many known videos in a row, newest first, and the rest of a tab counts as known. A page of YouTube's."""

_TABS = ("videos", "shorts", "streams")
_FLAT: dict[str, Any] = {
    "extract_flat": "in_playlist",
    "skip_download": True,
    "ignore_no_formats_error": True,
}
_DEEPEST = 2  # a channel holds tabs, a tab holds videos
_PAGE = 50


def list_source(
    url: str,
    options: SourceOptions,
    cache: Path | None = None,
    all_known: AllKnown | None = None,
    memory: Mapping[str, Any] | None = None,
) -> Listing:
    """Everything that `url` lists; with `all_known`, of a channel's tabs only until a page of videos is known.

    `cache` is a folder where yt-dlp may keep players and tokens; `memory` is that of the last listing, as the catalogue
    has it (`catalogue.listings.memory_of`). What goes wrong before the first video is raised:
    NotAURL, AddressRefused, and what `sites.wording` makes of yt-dlp's errors: SourceUnreachable, SourceNotFound,
    NoMedia, SourceBlocked, SignInRequired, VideoUnavailable, NotYet. Later it ends the listing, as its `error`.
    """
    if url.startswith("file:"):
        return list_folder(url, options, memory or {})
    whole, (url, options) = url, signed_in(url, options)
    check_url(url, options.allow_private_addresses, proxied=options.proxy is not None or None)
    listing: Listing | None = None
    try:
        with open_ytdlp(options, YtdlpLog(), cache, **_FLAT) as ydl:
            if (feed := _feed(ydl, url, options, memory or {}, all_known)) is not None:
                return _with_logins(feed, whole)
            _as_listings_need(ydl)
            info = _open(ydl, url)
            listing = _head(info, url)
            listing.url = whole
            _Reader(ydl, listing, options, all_known).read(info)
    except Exception as error:
        known = error if isinstance(error, ChannelscribeError) else classify(error, url)
        if listing is None or not listing.videos:
            raise known from None
        listing.complete, listing.error = False, known
    return listing


def _feed(
    ydl: SafeYoutubeDL, url: str, options: SourceOptions, memory: Mapping[str, Any], all_known: AllKnown | None
) -> Listing | None:
    """Feeds are read by us: yt-dlp wants well-formed RSS. None for what is a site's or a file's own address."""
    maybe = memory.get("kind") != "feed" and directory_of(url) is None
    # Last: asking all extractors of yt-dlp is half a second of work.
    if maybe and (direct_media(url) is not None or is_known_site(url)):
        return None
    return list_feed(ydl, url, options, memory, all_known)


def _with_logins(listing: Listing, whole: str) -> Listing:
    """Files on the host of a feed that was asked for with a password get it, too."""
    if whole != listing.url:
        listing.url = whole
        listing.videos = [replace(each, url=with_login(each.url, whole)) for each in listing.videos]
    return listing


def _as_listings_need(ydl: SafeYoutubeDL) -> None:
    """YouTube tells the age of videos in words; yt-dlp makes dates of them when it is asked to. And a page of YouTube's
    that did not come is only warned of, unless told otherwise: the rest of the channel would count as gone.
    """
    arguments = ydl.params.get("extractor_args") or {}
    ydl.params["extractor_args"] = {
        **arguments,
        "youtube": {**arguments.get("youtube", {}), "raise_incomplete_data": [""]},
        "youtubetab": {**arguments.get("youtubetab", {}), "approximate_date": [""]},
    }


def _open(ydl: SafeYoutubeDL, url: str) -> Info:
    """What yt-dlp finds behind the address. A list's entries are not read yet; a video is looked at whole."""
    info: Info | None = ydl.extract_info(url, download=False, process=False)
    hops = 0
    while info and info.get("_type") in ("url", "url_transparent") and hops < 10:
        info = ydl.extract_info(info["url"], download=False, process=False, ie_key=info.get("ie_key"))
        hops += 1
    if not info:
        raise NoMedia(f"{display_url(url)} has nothing to play.", remedy=NOTHING_TO_PLAY_REMEDY)
    if not is_list(info):
        info = ydl.process_ie_result(info, download=False) or info
    return info


def _head(info: Info, url: str) -> Listing:
    site = site_of(info)
    title = str(info.get("title") or display_url(url))
    name = public_url(str(info.get("id") or url), distinct=True)  # a feed's id is its URL
    return Listing(site, safe_id(name), title, url, _kind(info, site))


def is_list(info: Info) -> bool:
    return info.get("_type", "video") in ("playlist", "multi_video", "compat_list")


def _kind(info: Info, site: str) -> Kind:
    if not is_list(info):
        return "video"
    return "channel" if info.get("id") in (info.get("channel_id"), info.get("uploader_id")) else "playlist"


class _Reader:
    """Takes entries into a listing, in the source's order."""

    def __init__(
        self, ydl: SafeYoutubeDL, listing: Listing, options: SourceOptions, all_known: AllKnown | None
    ) -> None:
        self._ydl = ydl
        self._listing = listing
        self._videos = listing.videos = VideoSpool()
        self._tabs = options.tabs
        self._timezone = options.timezone
        # Only channels list the newest first: a playlist may grow anywhere.
        self._all_known = all_known if listing.kind == "channel" else None

    def read(self, info: Info) -> None:
        if self._listing.kind != "video":
            self._read_list(info, _tab(str(info.get("webpage_url") or self._listing.url)))
            return
        video = self._add(info, None)
        if video is not None:
            self._listing.source_id = video.video_id

    def _read_list(self, info: Info, tab: str | None, depth: int = 0) -> None:
        page: list[ListedVideo] = []
        for entry in entries_of(info):
            if depth < _DEEPEST and self._is_nested(entry):
                self._read_nested(entry, depth + 1)
                continue
            entry.setdefault("webpage_url_of_list", info.get("webpage_url"))
            video = self._add(entry, tab)
            if video is None or self._all_known is None:
                continue
            page.append(video)
            if len(page) == SHORT_LOOK:
                if self._all_known(page):
                    self._listing.complete = False
                    return
                page.clear()

    def _read_nested(self, entry: Info, depth: int) -> None:
        """A tab of a channel: a list in the list (YouTube's), or an address of one."""
        url = str(entry.get("webpage_url") or entry.get("url") or "")
        tab = _tab(url)
        if tab is None or tab in self._tabs:
            self._read_list(entry if is_list(entry) else _open(self._ydl, url), tab, depth)

    def _is_nested(self, entry: Info) -> bool:
        if is_list(entry):
            return True
        if not entry.get("ie_key") or not entry.get("url"):
            return False
        extractor = self._ydl.get_info_extractor(entry["ie_key"])
        single = extractor.is_single_video(entry["url"])
        # "any" is youtube:tab's: what it lists as an address of its own is a list.
        return single is False or (single is None and extractor._RETURN_TYPE == "any")

    def _add(self, entry: Info, tab: str | None) -> ListedVideo | None:
        video = listed_video(entry, self._listing.site, len(self._videos), tab, self._timezone)
        if video is not None:
            self._videos.append(video)
        return video


def entries_of(info: Info) -> Iterator[Info]:
    """A list's entries, asked for page by page."""
    entries = info.get("entries") or ()
    if isinstance(entries, PagedList):
        pages = (entries.getslice(start, start + _PAGE) for start in count(0, _PAGE))
        entries = (entry for page in iter(lambda: next(pages), []) for entry in page)
    for entry in entries:
        if entry:
            yield entry


def _tab(url: str) -> str | None:
    last = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    return last if last in _TABS else None
