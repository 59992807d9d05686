"""The sentences of sites and of yt-dlp, and what they mean: the data of `sites.wording`.

The order matters, the first match wins. Sources: yt-dlp's extractors, YouTube's player messages, and the
issues of projects that live on them. A new sentence goes here, with an example in
`tests/sites/test_wording.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from channelscribe.errors import (
    AddressRefused,
    ChannelscribeError,
    EmptyMedia,
    InvalidSetting,
    NoMedia,
    NotYet,
    SignInRequired,
    SourceBlocked,
    SourceNotFound,
    SourceUnreachable,
    StoreNotWritable,
    VideoUnavailable,
)

__all__ = ["CONNECTION_REMEDY", "COOKIES_REMEDY", "NETWORK_CAUSES", "SLOWER_REMEDY", "WORDINGS", "Wording"]

COOKIES_REMEDY = "Set sources.cookies_file to cookies of an account that may watch it."
SLOWER_REMEDY = "Wait an hour or more and ask less often; cookies of an account can help."
CONNECTION_REMEDY = "Check the address and the network connection; it is tried again."
_DISK_REMEDY = "Free some disk space, or check the permissions of the data folder."
_EXPORT_REMEDY = "Export sources.cookies_file again, in Netscape format."


@dataclass(frozen=True)
class Wording:
    """What a sentence means that one of `patterns` (regular expressions, case ignored) is found in."""

    kind: type[ChannelscribeError]
    reason: str | None
    remedy: str
    patterns: tuple[str, ...]


WORDINGS = [
    Wording(
        SourceBlocked,
        "bot_check",
        SLOWER_REMEDY,
        (r"confirm you.{1,3}re not a (ro)?bot", r"captcha", r"anti-bot challenge"),
    ),
    Wording(
        SourceBlocked,
        None,
        SLOWER_REMEDY,
        (
            r"rate.?limit",
            r"too many requests",
            r"your IP( address)? (is|has been) (blocked|banned)",
            # YouTube says this to addresses that it bans, too: never take it for a deletion.
            r"content isn.t available",
        ),
    ),
    Wording(
        VideoUnavailable,
        "members_only",
        COOKIES_REMEDY,
        (
            r"members.only",
            r"channel.s members",
            r"subscriber.only",
            r"for (premium )?(members|subscribers)",
            r"premium (users|members|subscribers|video)",
            r"requires? (an? )?(active )?(subscription|payment|membership)",
            r"appropriate subscription",
            r"purchase (is required|the )",
            r"is paid",
            r"not subscribed",
        ),
    ),
    Wording(
        SignInRequired,
        "age_gate",
        COOKIES_REMEDY,
        (r"confirm your age", r"age.(gate|restricted|verif)", r"inappropriate for some users"),
    ),
    Wording(
        VideoUnavailable,
        "private",
        "",
        (
            r"private (video|playlist|subreddit)",
            r"(video|vod|playlist|content|post) is (set to |a )?private",
            r"in (a )?private show",
        ),
    ),
    Wording(
        SignInRequired,
        None,
        COOKIES_REMEDY,
        (
            r"registered users",
            r"log ?in (is )?required",
            r"requires? (a )?log ?in",
            r"(need|have) to (log|sign) ?in",
            r"sign in (to|if)",
            r"may need login",
            r"use --(cookies|username)",
            r"password.protected",
            r"protected by a password",
        ),
    ),
    Wording(
        VideoUnavailable,
        "geo_blocked",
        "",
        (r"(in|from) (your|this) (country|region|location)", r"geo.?(restrict|block)"),
    ),
    Wording(VideoUnavailable, "copyright", "", (r"copyright", r"licensing restrictions")),
    Wording(VideoUnavailable, "drm", "", (r"\bDRM\b",)),
    Wording(
        NotYet,
        "post_live",
        "",
        (r"stream recording is not available", r"processing this video", r"live ?(event|stream) has ended"),
    ),
    Wording(
        NotYet,
        "upcoming",
        "",
        (
            r"premieres? (in|will)",
            r"(will|to) (begin|start) (in|at|on|shortly|soon)",
            r"not (yet )?started",
            r"scheduled for",
            r"not available yet",
        ),
    ),
    Wording(
        VideoUnavailable,
        "removed",
        "",
        (
            r"account .{0,80}terminated",
            r"(was|has been|been) (removed|terminated|deleted)",
            r"violat(es|ed|ing)",
            r"no longer available",
            r"expired",
        ),
    ),
    Wording(
        SourceNotFound,
        None,
        "Check the address.",
        (
            r"\b(channel|playlist|video|vod|page|user|track|station|account|content)\b.{0,60}not exist",
            r"\b(channel|playlist|video|vod|page|user|track|station|account|content)\b not found",
            r"unable to recognize tab page",
        ),
    ),
    Wording(EmptyMedia, None, "", (r"did not get any data blocks", r"downloaded file is empty")),
    Wording(
        StoreNotWritable,
        None,
        _DISK_REMEDY,
        (
            r"no space left",
            r"unable to (open for writing|write data)",
            r"read-only file system",
            r"disk quota",
        ),
    ),
    Wording(InvalidSetting, None, _EXPORT_REMEDY, (r"failed to load cookies", r"netscape format cookies file")),
    Wording(
        AddressRefused,
        None,
        "",
        (r"no connection adapters were found", r"unsupported url scheme", r"file:// URLs are disabled"),
    ),
    Wording(
        NoMedia,
        None,
        "Check the address.",
        (
            r"unsupported url",
            r"no (video|media|audio|playlist|embed)[^.]{0,40}(found|could be|on the|in (this|the))",
            r"there is no video",
            r"no video formats",
            r"requested format is not available",
            r"does not have a \w+ tab",
            r"not a (valid url|video)",
        ),
    ),
    Wording(SourceUnreachable, None, CONNECTION_REMEDY, (r"temporarily unavailable", r"try again later")),
    Wording(
        VideoUnavailable,
        None,
        "",
        (
            r"video (is )?(not available|unavailable)",
            r"(content|event|livestream|video) is (currently )?(not available|unavailable)",
        ),
    ),
]

# What the network said, in the words of Python, urllib3 and OpenSSL.
NETWORK_CAUSES = [
    (r"name or service not known|getaddrinfo|name resolution|failed to resolve|nodename nor", "no such host"),
    (r"connection refused", "the connection was refused"),
    (r"timed? ?out", "no answer in time"),
    (r"certificate", "its certificate is not valid"),
    (
        r"reset by peer|aborted|disconnected|bytes read|incomplete|without response",
        "the connection broke off",
    ),
    (r"unreachable|no route", "no route to the host"),
]
