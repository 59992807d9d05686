"""The sentences of sites and of yt-dlp, and what they mean: the data of `sites.wording`.

The order matters, the first match wins: what speaks of this address before what speaks of the video, the narrow
before the wide. Sources: yt-dlp's extractors, YouTube's player messages, and the issues of projects that live on
them. A new sentence goes here, with an example in `tests/sources/test_error_classification.py`; what follows from
each reason is in `docs/reasons.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from channelscribe.errors import (
    AccessUnusable,
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
    SuspectedBlock,
    VideoUnavailable,
)

__all__ = [
    "BLOCKED_REMEDY",
    "CONNECTION_REMEDY",
    "COOKIES_REMEDY",
    "LOGIN_REMEDY",
    "NETWORK_CAUSES",
    "SLOWER_REMEDY",
    "WORDINGS",
    "Wording",
]

COOKIES_REMEDY = "Set sources.cookies_file to cookies of an account that may watch it."
LOGIN_REMEDY = "Set sources.logins to {HOST: USER:PASSWORD}, or correct what is there."
SLOWER_REMEDY = "Wait an hour or more and ask less often; cookies of an account can help."
BLOCKED_REMEDY = "Wait, or ask from another address; nothing is asked of this site until then."
SUSPECTED_REMEDY = "If others say the same, the site has blocked this address; else the video is gone."
NOT_THERE_REMEDY = "Open it in a browser: it may have another address now, or be gone."
NOTHING_TO_PLAY_REMEDY = (
    "Open it in a browser. Of a podcast give the address behind RSS on its page; "
    "if something plays there, try a newer yt-dlp."
)
CONNECTION_REMEDY = "Check the address and the network connection; it is tried again."
_DISK_REMEDY = "Free some disk space, or check the permissions of the data folder."
_PROXY_REMEDY = "Correct the user and the password in sources.proxy."
_EXPORT_REMEDY = "Export sources.cookies_file again, in Netscape format."


@dataclass(frozen=True)
class Wording:
    """What a sentence means that one of `patterns` (regular expressions, case ignored) is found in."""

    kind: type[ChannelscribeError]
    reason: str | None
    remedy: str
    patterns: tuple[str, ...]


WORDINGS = [
    # HTTP status 407 is the proxy's, whatever the address says.
    Wording(AccessUnusable, "proxy", _PROXY_REMEDY, (r"proxy authentication required",)),
    Wording(
        SourceBlocked,
        "bot_check",
        SLOWER_REMEDY,
        (r"confirm you.{1,3}re not a (ro)?bot", r"captcha", r"anti-bot challenge"),
    ),
    Wording(
        SourceBlocked,
        "rate_limited",
        SLOWER_REMEDY,
        (
            r"rate.?limit",
            r"too many requests",
            # YouTube's own words for it; without the end they may mean a deletion.
            r"content isn.t available, try again later",
            r"request is (blocked|rejected) by (the )?server",
        ),
    ),
    Wording(
        SourceBlocked,
        "blocked",
        BLOCKED_REMEDY,
        (
            r"\bIP( address)?\b.{0,30}\b(block|ban|unable to access)",
            r"request has been blocked",
        ),
    ),
    Wording(
        VideoUnavailable,
        "members_only",
        COOKIES_REMEDY,
        (
            r"members.only",
            r"channel.s members",
            r"(subscriber|supporter).only",
            r"for (premium |\w+ )?(members|subscribers|supporters)",
            r"premium (users|members|subscribers|supporters|video)",
            r"requires? (an? )?(active )?(subscription|payment|membership)",
            r"subscription (is )?(needed|required)",
            r"appropriate subscription",
            r"purchase (is required|the )",
            r"available with purchase",
            r"(is paid|have to pay)",
            r"not subscribed",
            r"does not have (access to|tickets)",
            r"do not have access to this (class|post|scene)",
        ),
    ),
    Wording(
        SignInRequired,
        "age_gate",
        COOKIES_REMEDY,
        (
            r"confirm your age",
            r"age.(gate|restricted|verif)",
            r"inappropriate (for some users|or offensive)",
            r"users older than",
            r"adult verification",
            r"\bNSFW\b",
            r"sensitive content",
        ),
    ),
    Wording(
        VideoUnavailable,
        "private",
        "",
        (
            r"private (video|playlist|subreddit)",
            r"(video|vod|playlist|content|post|account) is (set to |likely |either |a )*private",
            r"in (a )?private show",
        ),
    ),
    Wording(
        SignInRequired,
        None,
        COOKIES_REMEDY,
        (
            r"registered users",
            r"log ?in (is |details are )?(required|needed)",
            r"requires? (a )?log ?in",
            r"(need|have) to (log|sign) ?in",
            r"sign in (to|if)",
            r"please (sign|log) in",
            r"may need login",
            r"(need|must) (to )?be logged",
            r"pass(word|code).protected",
            r"protected by a pass(word|code)",
            r"(invalid|wrong|incorrect|bad) .{0,40}(password|username|credentials)",
            r"(password|username).{0,10} (was|is) incorrect",
            r"(unable to|failed to|could not) log ?in|login failed",
            r"(tokens?|session|cookies?|authorization)\b.{0,20} (expired|invalid|lost|not valid)",
            r"expired token",
        ),
    ),
    Wording(
        VideoUnavailable,
        "geo_blocked",
        "",
        (
            r"(in|from) (your|this) (country|region|location)",
            r"geo.?(restrict|block)",
            r"available in \w+ only",
            r"blocked by decision of",
        ),
    ),
    Wording(
        VideoUnavailable,
        "copyright",
        "",
        (r"copyright", r"licensing restrictions", r"contains content from .{1,100} blocked it"),
    ),
    Wording(VideoUnavailable, "drm", "", (r"\bDRM\b",)),
    # What has ended and left nothing is not waited for.
    Wording(
        VideoUnavailable,
        "unavailable",
        "",
        (r"there is no archive", r"replay is disabled", r"VOD is not available", r"no video for download"),
    ),
    Wording(
        NotYet,
        "post_live",
        "",
        (
            r"stream recording is not available",
            r"processing this video",
            r"video is (still )?(being )?process",
            r"uploading or processing",
            r"(live|event|stream|broadcast|premiere|space) (has )?ended",
        ),
    ),
    Wording(
        NotYet,
        "live",
        "",
        (
            r"(is|are) (currently |still )?(live|streaming|broadcasting)( right)? now",
            r"is (currently|still) live\b",
            r"while (it|the \w+) is live",
        ),
    ),
    Wording(
        NotYet,
        "upcoming",
        "",
        (
            r"premieres? (in|on|at|will|soon|shortly)",
            r"(will|to) (begin|start) (in|at|on|shortly|soon)",
            r"(has|have)?(n.t| not) (yet )?started",
            r"scheduled for",
            r"not (available yet|yet available)",
            r"(only|be) available (after|at|from)\b",
            r"(is|it.s|now|^) ?offline\b",
            r"not (currently )?live\b",
        ),
    ),
    Wording(
        VideoUnavailable,
        "removed",
        "",
        (
            r"account .{0,80}(terminated|suspended|closed)",
            r"(was|has been|been) (removed|terminated|deleted|taken down)",
            r"(is|are) (removed|deleted)\b",
            r"violat(es|ed|ing)",
            r"no longer (available|exists)",
            r"n.t available any ?more",
            r"expired",
        ),
    ),
    # To addresses that it bans, YouTube says the same as of what is gone: never a deletion on that alone.
    Wording(SuspectedBlock, None, SUSPECTED_REMEDY, (r"content isn.t available",)),
    Wording(
        SourceNotFound,
        None,
        NOT_THERE_REMEDY,
        (
            r"does(n.t| not) exist",
            r"\bno such (podcast|audition|video|channel|playlist|user)",
            r"\b(channel|playlist|video|vod|page|user|track|station|account|content|space|show|clip)\b.{0,30}not found",
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
        NOTHING_TO_PLAY_REMEDY,
        (
            r"unsupported url",
            r"no (valid )?(video|media|audio|playlist|embed|vimeo)[^.]{0,40}(found|could be|on the|in (this|the))",
            r"no (supported |active )?(sources|songs|chapters|streams|media|downloads) (found|available)",
            r"there is no video",
            r"no video formats",
            r"(does|do)(n.t| not) (contain|have) (an?|any) (video|audio)",
            r"does not contain audio",
            r"requested format is not available",
            r"does not have a \w+ tab",
            r"not a (valid url|video)",
            r"invalid url",
            r"without video id|looks truncated",
            r"(website|site|videos?|providers?|embeds?) (is|are) (not|no longer) supported",
        ),
    ),
    Wording(
        SourceUnreachable,
        None,
        CONNECTION_REMEDY,
        (
            r"temporarily unavailable",
            r"try again( later)?\.?$",
            r"try again later",
            r"network error",
            r"page needs to be reloaded",
            r"incomplete (\w+ )?data received",
            r"(empty|no) (page|response|media response)",
            r"bytes read, \d+ more expected",
        ),
    ),
    Wording(
        VideoUnavailable,
        None,
        "",
        (
            r"video (is )?(not available|unavailable)",
            r"\b(is|be) (currently )?(not available|unavailable|inaccessible|unplayable)",
            r"\b(clip|episode|track|stream|song|live) (is )?(not |un)available",
            r"can.t be accessed|not archived",
        ),
    ),
    # yt-dlp's own hint, where nothing else in the sentence says more.
    Wording(
        SignInRequired,
        None,
        COOKIES_REMEDY,
        (
            r"use --?-(cookies|username|ap-mso)",
            r"--cookies(-from-browser)?\b",
            r"(account|authentication) (authentication |is )*(is )?required",
            r"requires? authentication",
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
