"""What yt-dlp says when it fails, translated into the error tree of `channelscribe.errors`.

yt-dlp has few exception classes and many sentences, most of them the sites' own: `wording_table` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from yt_dlp.networking.exceptions import HTTPError, TransportError  # type: ignore[import-untyped]
from yt_dlp.utils import (  # type: ignore[import-untyped]
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnsupportedError,
    UserNotLive,
)

from channelscribe.errors import (
    ChannelscribeError,
    NoMedia,
    NotYet,
    SignInRequired,
    SourceBlocked,
    SourceError,
    SourceNotFound,
    SourceUnreachable,
    VideoUnavailable,
)
from channelscribe.sites.addresses import display_url
from channelscribe.sites.wording_table import (
    CONNECTION_REMEDY,
    COOKIES_REMEDY,
    NETWORK_CAUSES,
    SLOWER_REMEDY,
    WORDINGS,
)

__all__ = ["classify"]

# Advice to users of yt-dlp's command line, and the repr of an exception.
_TAIL = re.compile(r"; please report this issue|\(caused by |; see +https?://| For more information|\. Use --")
_STATUS: dict[int, tuple[type[SourceError], str | None, str]] = {
    401: (SignInRequired, None, COOKIES_REMEDY),
    403: (SourceUnreachable, "forbidden", "It is tried again with a fresh address."),
    404: (SourceNotFound, None, "Check the address."),
    410: (SourceNotFound, None, "It was taken away."),
    429: (SourceBlocked, None, SLOWER_REMEDY),
    451: (VideoUnavailable, "geo_blocked", ""),
}


def classify(error: BaseException, url: str) -> ChannelscribeError:
    """The failure that `error`, raised by yt-dlp for `url`, stands for.

    One of ours inside it comes out as it is. The message is one line with the site's own words; it has no
    traceback and no secret parts of the URL.
    """
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, ChannelscribeError):
            return each
    where, said = display_url(url), _said(chain)
    if any(isinstance(each, UnsupportedError) for each in chain):
        return NoMedia(f"{where} has nothing to play that yt-dlp can find.", remedy="Check the address.")
    if any(isinstance(each, UserNotLive) for each in chain):
        return NotYet(f"{where}: {said}.", reason="upcoming")
    if any(isinstance(each, GeoRestrictedError) for each in chain):
        return VideoUnavailable(f"{where}: {said}.", reason="geo_blocked")
    for wording in WORDINGS:
        if any(re.search(pattern, said, re.IGNORECASE) for pattern in wording.patterns):
            return wording.kind(f"{where}: {said}.", remedy=wording.remedy, reason=wording.reason)
    return _by_type(chain, where, said)


def _by_type(chain: list[BaseException], where: str, said: str) -> ChannelscribeError:
    for each in chain:
        if isinstance(each, HTTPError):
            return _by_status(each.status, where)
    if any(isinstance(each, TransportError | OSError) for each in chain):
        known = (meaning for pattern, meaning in NETWORK_CAUSES if re.search(pattern, said, re.IGNORECASE))
        return SourceUnreachable(f"{where} cannot be reached: {next(known, said)}.", remedy=CONNECTION_REMEDY)
    return SourceError(f"{where}: {said}.", remedy="If it stays so, upgrade yt-dlp: sites change often.")


def _by_status(status: int, where: str) -> SourceError:
    if status in _STATUS:
        kind, reason, remedy = _STATUS[status]
        return kind(f"{where} answered with HTTP status {status}.", remedy=remedy, reason=reason)
    if status >= 500 or status in (408, 425) or 300 <= status < 400:
        return SourceUnreachable(f"{where} answered with HTTP status {status}.", remedy=CONNECTION_REMEDY)
    return SourceError(f"{where} answered with HTTP status {status}.")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps, in yt-dlp's several ways, outermost first."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        each = pending.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = getattr(each, "exc_info", None) or (None, None, None)
        pending += [inner[1], getattr(each, "cause", None), each.__cause__, each.__context__]


def _said(chain: list[BaseException]) -> str:
    """The extractor's own words, else the outermost message, on one line of at most 300 characters."""
    own = [each for each in chain if isinstance(each, ExtractorError)]
    text = str(own[0].orig_msg) if own else str(chain[0])
    if isinstance(chain[0], DownloadError) and not own:
        text = re.sub(r"^(ERROR: )?(\[[^\]]+\] )?", "", text)
    text = _TAIL.split(text, maxsplit=1)[0]
    text = re.sub(r"https?://\S+", lambda found: display_url(found.group()), " ".join(text.split()))
    return text[:300].strip(" .") or type(chain[0]).__name__
