"""What yt-dlp says when it fails, translated into the error tree of `channelscribe.errors`.

yt-dlp has few exception classes and many sentences, most of them the sites' own: `wording_table` lists them.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

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
    Then,
    VideoUnavailable,
    machine_fault,
)
from channelscribe.sources.addresses import display_url, display_urls
from channelscribe.sources.error_patterns import (
    CONNECTION_REMEDY,
    COOKIES_REMEDY,
    LOGIN_REMEDY,
    NETWORK_CAUSES,
    NOT_THERE_REMEDY,
    NOTHING_TO_PLAY_REMEDY,
    SLOWER_REMEDY,
    WORDINGS,
)

__all__ = ["classify", "retry_after"]

_log = logging.getLogger(__name__)

# Advice to users of yt-dlp's command line, and the repr of an exception.
_BUG_REPORT = re.compile(r"; please report this issue|\(caused by ")
_ADVICE = re.compile(r"; see +https?://| For more information|\. Use --")
_LONGEST_WAIT = timedelta(days=7)  # a site that says more is not believed
_SHORTLY = timedelta(minutes=5)
_SOON = re.compile(r"shortly|soon|a few (moments|seconds|minutes)", re.IGNORECASE)
_STARTS_IN = re.compile(r"\bin (an?|\d{1,3}) (second|minute|hour|day|week|month)s?\b", re.IGNORECASE)
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000}
_PAGE_REMEDY = "It is tried again; cookies of an account, or another outgoing address, can help."
_STATUS: dict[int, tuple[type[SourceError], str | None, str]] = {
    401: (SignInRequired, None, COOKIES_REMEDY),
    402: (VideoUnavailable, "members_only", COOKIES_REMEDY),
    403: (SourceUnreachable, "forbidden", "It is tried again with a fresh address."),
    404: (SourceNotFound, None, NOT_THERE_REMEDY),
    410: (SourceNotFound, None, "It was taken away."),
    429: (SourceBlocked, "rate_limited", SLOWER_REMEDY),
    451: (VideoUnavailable, "geo_blocked", ""),
}


def classify(error: BaseException, url: str) -> ChannelscribeError:
    """The failure that `error`, raised by yt-dlp for `url`, stands for, and when to try again if that was told.

    One of ours inside it comes out as it is. The message is one line with the site's own words; it has no
    traceback and no secret parts of the URL. Raise it `from None`: yt-dlp's own error may quote a URL as it is,
    and what is raised from it is written with it. The whole goes into the log at DEBUG, without such parts.
    """
    chain = list(_chain(error))
    for each in chain:
        if found := machine_fault(each):
            return found
        if isinstance(each, ChannelscribeError):
            return each
    _log.debug("%s", display_urls("".join(traceback.format_exception(error))))
    words = _words(chain)
    failure = _by_words(chain, display_url(url), words)
    if isinstance(failure, NotYet):
        failure.not_before = _start(words)
    elif isinstance(failure, SourceBlocked | SourceUnreachable):
        failure.not_before = retry_after(chain)
    return failure


def _by_words(chain: list[BaseException], where: str, words: str) -> ChannelscribeError:
    said = _said(words) or type(chain[0]).__name__
    if any(isinstance(each, UnsupportedError) for each in chain):
        return NoMedia(f"{where} has nothing to play that yt-dlp can find.", remedy=NOTHING_TO_PLAY_REMEDY)
    if any(isinstance(each, UserNotLive) for each in chain):
        return NotYet(f"{where}: {said}.", reason="upcoming")
    if any(isinstance(each, GeoRestrictedError) for each in chain):
        return VideoUnavailable(f"{where}: {said}.", reason="geo_blocked")
    spoken = re.sub(r"https?://\S+", "", words)  # an address may hold any word
    for wording in WORDINGS:
        if any(re.search(pattern, spoken, re.IGNORECASE) for pattern in wording.patterns):
            if wording.kind.then is Then.GIVE_UP and _is_bug(chain):
                break
            return wording.kind(f"{where}: {said}.", remedy=wording.remedy, reason=wording.reason)
    return _by_type(chain, where, said)


def _is_bug(chain: list[BaseException]) -> bool:
    """Whether yt-dlp takes it for its own fault, as when a site has changed: that says nothing of the video."""
    own = [each for each in chain if isinstance(each, ExtractorError)]
    return bool(own) and not own[0].expected


def _by_type(chain: list[BaseException], where: str, said: str) -> ChannelscribeError:
    for each in chain:
        if isinstance(each, HTTPError):
            if each.status == 401 and "WWW-Authenticate" in each.response.headers:
                return SignInRequired(f"{where} asks for a user and a password.", remedy=LOGIN_REMEDY, reason="login")
            return _by_status(each.status, where, any(isinstance(outer, ExtractorError) for outer in chain))
    if any(isinstance(each, TransportError | OSError) for each in chain):
        known = (meaning for pattern, meaning in NETWORK_CAUSES if re.search(pattern, said, re.IGNORECASE))
        return SourceUnreachable(f"{where} cannot be reached: {next(known, said)}.", remedy=CONNECTION_REMEDY)
    return SourceError(f"{where}: {said}.", remedy="If this lasts, upgrade yt-dlp: sites change often.")


def _by_status(status: int, where: str, of_page: bool) -> SourceError:
    if status == 403 and of_page:  # no fresh address helps; media are asked for by downloads, not by extractors
        return SourceUnreachable(
            f"{where} answered with HTTP status 403.", remedy=_PAGE_REMEDY, reason="page_forbidden"
        )
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


def _words(chain: list[BaseException]) -> str:
    """The extractor's own words, else the outermost message, on one line."""
    own = [each for each in chain if isinstance(each, ExtractorError)]
    text = str(own[0].orig_msg) if own else str(chain[0])
    if isinstance(chain[0], DownloadError) and not own:
        text = re.sub(r"^(ERROR: )?(\[[^\]]+\] )?", "", text)
    return " ".join(_BUG_REPORT.split(text, maxsplit=1)[0].split())[:2000]


def _said(words: str) -> str:
    """The words as messages show them: without advice to others and secrets, at most 300 characters."""
    return display_urls(_ADVICE.split(words, maxsplit=1)[0])[:300].strip(" .")


def _start(words: str) -> datetime | None:
    """When a premiere or an event begins, where the site tells how long that is from now."""
    if found := _STARTS_IN.search(words):
        count, unit = found.groups()
        return datetime.now(UTC) + timedelta(seconds=_UNITS[unit.lower()]) * (int(count) if count.isdigit() else 1)
    return datetime.now(UTC) + _SHORTLY if _SOON.search(words) else None


def retry_after(chain: Iterable[BaseException]) -> datetime | None:
    """What a Retry-After of status 429 or 503 asks for (RFC 9110, section 10.2.3), a week at most."""
    for each in chain:
        if isinstance(each, HTTPError) and each.status in (429, 503):
            told = str(each.response.headers.get("Retry-After") or "").strip()
            latest = datetime.now(UTC) + _LONGEST_WAIT
            if re.fullmatch(r"[0-9]{1,9}", told):
                return min(datetime.now(UTC) + timedelta(seconds=int(told)), latest)
            try:
                date = parsedate_to_datetime(told)
            except ValueError:
                return None
            return min(date if date.tzinfo else date.replace(tzinfo=UTC), latest)
    return None
