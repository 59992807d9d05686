"""The sentences are those of yt-dlp's extractors and of YouTube's player, as users report them."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from yt_dlp.networking import Response  # type: ignore[import-untyped]
from yt_dlp.networking.exceptions import HTTPError, TransportError  # type: ignore[import-untyped]
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive  # type: ignore[import-untyped]

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
    SourceError,
    SourceNotFound,
    SourceUnreachable,
    StoreNotWritable,
    SuspectedBlock,
    VideoUnavailable,
)
from channelscribe.sources.error_classification import classify

URL = "https://user:pa55word@example.org/watch?v=x&token=t0ken"

SENTENCES = [
    ("Unable to download webpage: HTTP Error 407: Proxy Authentication Required", AccessUnusable, "proxy"),
    ("Tunnel connection failed: 407 Proxy Authentication Required", AccessUnusable, "proxy"),
    ("Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies", SourceBlocked, "bot_check"),
    ("Sign in to confirm you're not a robot", SourceBlocked, "bot_check"),
    ("Got HTTP Error 403 caused by Cloudflare anti-bot challenge; try again", SourceBlocked, "bot_check"),
    ("Video unavailable. YouTube is requiring a captcha challenge before playback", SourceBlocked, "bot_check"),
    (
        "Video unavailable. This content isn't available, try again later. The current session has been "
        "rate-limited by YouTube for up to an hour.", SourceBlocked, "rate_limited",
    ),
    ("Video unavailable. This content isn’t available, try again later.", SourceBlocked, "rate_limited"),
    ("You have exceeded the rate limit. Try again later", SourceBlocked, "rate_limited"),
    ("Unable to download API page: HTTP Error 429: Too Many Requests", SourceBlocked, "rate_limited"),
    ("Request is blocked by server (412), please wait and try later.", SourceBlocked, "rate_limited"),
    ("Your IP address is blocked from accessing this post", SourceBlocked, "blocked"),
    ("All player responses are invalid. Your IP is likely being blocked by Youtube", SourceBlocked, "blocked"),
    ("Video unavailable. This content isn’t available", SuspectedBlock, "not_available"),
    ("Video unavailable. This content isn't available.", SuspectedBlock, "not_available"),
    (
        "Join this channel from your computer or Android app to get access to members-only content like this video.",
        VideoUnavailable, "members_only",
    ),
    ("This video is only available to Music Premium members", VideoUnavailable, "members_only"),
    ("Your account does not have access to this content", VideoUnavailable, "members_only"),
    (
        "This video is available to this channel's members on level: Gold (or any higher level). "
        "Join this channel to get access to members-only content", VideoUnavailable, "members_only",
    ),
    ("Join this channel to get access to members-only content like this video", VideoUnavailable, "members_only"),
    ("This video is only available for subscribers", VideoUnavailable, "members_only"),
    ("This video/podcast is for members only", VideoUnavailable, "members_only"),
    ("This video is for premium members only", VideoUnavailable, "members_only"),
    ("This video requires payment to watch.", VideoUnavailable, "members_only"),
    ("This post requires a subscription", VideoUnavailable, "members_only"),
    ("Ticket purchase is required for this stream", VideoUnavailable, "members_only"),
    ("Sign in to confirm your age. This video may be inappropriate for some users", SignInRequired, "age_gate"),
    ("Login is required to access age-restricted content", SignInRequired, "age_gate"),
    ("Sign in to confirm your age. Use --cookies-from-browser or --cookies for the authentication. See "
     "https://example.org/sign-in-if-private", SignInRequired, "age_gate"),
    ("The following content has been identified by the YouTube community as inappropriate or offensive to some "
     "audiences.", SignInRequired, "age_gate"),
    (
        "Private video. Sign in if you've been granted access to this video", VideoUnavailable, "private",
    ),
    ("Video unavailable. This video is private", VideoUnavailable, "private"),
    ("This VOD is private", VideoUnavailable, "private"),
    ("YouTube said: This playlist is private", VideoUnavailable, "private"),
    ("This is a private playlist. You need to login as its owner", VideoUnavailable, "private"),
    (
        "This video is only available for registered users. Use --cookies, --cookies-from-browser",
        SignInRequired, "sign_in_required",
    ),
    ("Login required to access this video", SignInRequired, "sign_in_required"),
    ("Please sign in. Use --cookies-from-browser or --cookies", SignInRequired, "sign_in_required"),
    ("This content is unreachable. Use --cookies, --cookies-from-browser", SignInRequired, "sign_in_required"),
    ("Expired token. Refresh your cookies in browser and try again", SignInRequired, "sign_in_required"),
    ("Unable to log in: bad username or password", SignInRequired, "sign_in_required"),
    ("This video is protected by a password, use the --video-password option", SignInRequired, "sign_in_required"),
    (
        "The uploader has not made this video available in your country", VideoUnavailable, "geo_blocked",
    ),
    (
        "Video unavailable. This video contains content from SME, who has blocked it in your country on "
        "copyright grounds", VideoUnavailable, "geo_blocked",
    ),
    ("This video contains content from SME, who has blocked it on copyright grounds", VideoUnavailable, "copyright"),
    ("Video unavailable. This video is no longer available due to a copyright claim by SME",
     VideoUnavailable, "copyright"),
    ("This video contains content from SME, who has blocked it from display on this website or application.",
     VideoUnavailable, "copyright"),
    ("This video is available in Taiwan only", VideoUnavailable, "geo_blocked"),
    ("This video is DRM protected", VideoUnavailable, "drm"),
    ("This live event will begin in 5 days.", NotYet, "upcoming"),
    ("Premieres in 3 hours", NotYet, "upcoming"),
    ("Premieres in 6 minutes", NotYet, "upcoming"),
    ("Premiere will begin shortly", NotYet, "upcoming"),
    ("This live event will begin in a few moments.", NotYet, "upcoming"),
    ("Offline.", NotYet, "upcoming"),
    ("Stream is offline", NotYet, "upcoming"),
    ("This video is only available after 20:00", NotYet, "upcoming"),
    ("This event is currently live, come back when it is over", NotYet, "live"),
    ("The video cannot be fetched while it is live", NotYet, "live"),
    ("This livestream has not yet started", NotYet, "upcoming"),
    ("This live event is scheduled for 2026-12-24 18:00", NotYet, "upcoming"),
    ("This live event will begin at 2026-12-24 JST", NotYet, "upcoming"),
    ("This live stream recording is not available.", NotYet, "post_live"),
    ("We're processing this video. Check back later.", NotYet, "post_live"),
    ("This live event has ended.", NotYet, "post_live"),
    ("This video is processing", NotYet, "post_live"),
    ("Livestream has ended and downloadable VOD is not available", VideoUnavailable, "unavailable"),
    ("Video unavailable. This video has been removed by the uploader", VideoUnavailable, "removed"),
    (
        "Video unavailable. This video is no longer available because the YouTube account associated with this "
        "video has been terminated.", VideoUnavailable, "removed",
    ),
    ("This video has been removed for violating YouTube's Terms of Service", VideoUnavailable, "removed"),
    ("YouTube said: This account has been terminated for a violation of YouTube's Terms of Service.",
     VideoUnavailable, "removed"),
    ("Video unavailable. This video isn't available anymore", VideoUnavailable, "removed"),
    ("Broadcast no longer exists", VideoUnavailable, "removed"),
    ("Content not found; it has most likely expired", VideoUnavailable, "removed"),
    ("YouTube said: The playlist does not exist.", SourceNotFound, "not_found"),
    ("Channel not found", SourceNotFound, "not_found"),
    ("This video does not exist", SourceNotFound, "not_found"),
    ("Video unavailable", VideoUnavailable, "unavailable"),
    ("This content is currently unavailable", VideoUnavailable, "unavailable"),
    ("No video could be found in this tweet", NoMedia, "no_media"),
    ("No video formats found!", NoMedia, "no_media"),
    ("Requested format is not available. Use --list-formats for a list of available formats", NoMedia, "no_media"),
    ("This channel does not have a videos tab", NoMedia, "no_media"),
    ("Did not get any data blocks", EmptyMedia, "empty_media"),
    ("unable to write data: [Errno 28] No space left on device", StoreNotWritable, "store_not_writable"),
    ("failed to load cookies", InvalidSetting, "invalid_setting"),
    ("Service temporarily unavailable", SourceUnreachable, "unreachable"),
    ("The page needs to be reloaded.", SourceUnreachable, "unreachable"),
    ("Incomplete data received", SourceUnreachable, "unreachable"),
    ("25602 bytes read, 10240 more expected", SourceUnreachable, "unreachable"),
    ("Unable to extract player response", SourceError, "source_error"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "kind", "reason"), SENTENCES)
def test_a_sentence_means_one_thing(sentence: str, kind: type[ChannelscribeError], reason: str) -> None:
    original = ExtractorError(sentence, expected=True, video_id="private-members-only-404", ie="youtube")
    for error in (original, DownloadError(f"ERROR: {original}", (None, original, None))):
        failure = classify(error, URL)
        assert (type(failure), failure.reason) == (kind, reason), failure


def test_what_yt_dlp_takes_for_its_own_fault_is_no_verdict_on_the_video() -> None:
    """After an upgrade it may well play."""
    for sentence in ("Video id was not found", "No video found", "This video is private"):
        assert type(classify(ExtractorError(sentence), URL)) is SourceError
    assert type(classify(ExtractorError("Sign in to confirm you're not a bot"), URL)) is SourceBlocked


def test_words_in_an_address_say_nothing() -> None:
    error = ExtractorError("Something at https://example.org/private-video/captcha broke", expected=True)
    assert classify(error, URL).reason == "source_error"


def http_error(status: int, of: str = "page", **headers: str) -> DownloadError:
    """As yt-dlp raises it: of a page inside an extractor's error, of media as it is."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    cause = HTTPError(Response(fp=_Nothing(), headers=told, url=URL, status=status))
    if of == "media":
        return DownloadError(f"ERROR: unable to download video data: {cause}", (None, cause, None))
    inner = ExtractorError("Unable to download webpage: " + cause.msg, cause=cause, expected=True)
    return DownloadError(f"ERROR: {inner}", (None, inner, None))


class _Nothing:
    closed = True

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (401, SignInRequired, "sign_in_required"),
        (402, VideoUnavailable, "members_only"),
        (403, SourceUnreachable, "page_forbidden"),
        (404, SourceNotFound, "not_found"),
        (410, SourceNotFound, "not_found"),
        (418, SourceError, "source_error"),
        (429, SourceBlocked, "rate_limited"),
        (451, VideoUnavailable, "geo_blocked"),
        (500, SourceUnreachable, "unreachable"),
        (503, SourceUnreachable, "unreachable"),
    ],
)
def test_a_status_means_one_thing(status: int, kind: type[ChannelscribeError], reason: str) -> None:
    failure = classify(http_error(status), URL)
    assert (type(failure), failure.reason) == (kind, reason), failure


def test_forbidden_media_are_not_a_forbidden_page() -> None:
    assert classify(http_error(403, of="media"), URL).reason == "forbidden"


def minutes_until(moment: datetime | None) -> int:
    """From now, rounded."""
    assert moment is not None
    return round((moment - datetime.now(UTC)) / timedelta(minutes=1))


@pytest.mark.parametrize("of", ["page", "media"])
@pytest.mark.parametrize(
    ("status", "told", "minutes"),
    [
        (429, "600", 10),
        (503, "120", 2),
        (429, "0", 0),
        (429, "999999999", 7 * 24 * 60),
        (503, "in ten minutes", 10),
        (429, "Fri, 01 Jan 2100 00:00:00 GMT", 7 * 24 * 60),
    ],
)
def test_a_site_says_when_to_ask_again(of: str, status: int, told: str, minutes: int) -> None:
    if told == "in ten minutes":
        told = format_datetime(datetime.now(UTC) + timedelta(minutes=10, seconds=10), usegmt=True)
    failure = classify(http_error(status, of, Retry_After=told), URL)
    assert abs(minutes_until(failure.not_before) - minutes) <= 1


@pytest.mark.parametrize(("status", "told"), [(429, ""), (429, "soon"), (429, "-5"), (429, "1e3"), (404, "60")])
def test_it_does_not_say_when(status: int, told: str) -> None:
    assert classify(http_error(status, Retry_After=told), URL).not_before is None


@pytest.mark.parametrize(
    ("sentence", "minutes"),
    [
        ("Premieres in 3 hours", 180),
        ("Premieres in 6 minutes", 6),
        ("This live event will begin in 2 days.", 2 * 24 * 60),
        ("This live event will begin in 20 minutes.", 20),
        ("This live event will begin in 1 week.", 7 * 24 * 60),
        ("Premieres in an hour", 60),
        ("This live event will begin in 30 seconds.", 0),
        ("Premiere will begin shortly", 5),
        ("This live event will begin in a few moments.", 5),
    ],
)
def test_a_premiere_says_when_it_begins(sentence: str, minutes: int) -> None:
    failure = classify(ExtractorError(sentence, expected=True), URL)
    assert isinstance(failure, NotYet) and abs(minutes_until(failure.not_before) - minutes) <= 1


@pytest.mark.parametrize("sentence", ["This livestream has not yet started", "Video unavailable in 3 hours"])
def test_nothing_says_when(sentence: str) -> None:
    assert classify(ExtractorError(sentence, expected=True), URL).not_before is None


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TransportError("[Errno -2] Name or service not known"), SourceUnreachable, "no such host"),
        (TransportError("HTTPSConnectionPool: Read timed out."), SourceUnreachable, "no answer in time"),
        (TransportError("[Errno 111] Connection refused"), SourceUnreachable, "refused"),
        (ConnectionResetError("Connection reset by peer"), SourceUnreachable, "broke off"),
        (UnsupportedError("https://private.example/drm"), NoMedia, "nothing to play"),
        (GeoRestrictedError("Not for you"), VideoUnavailable, "Not for you"),
        (UserNotLive(), NotYet, "not currently live"),
        (RuntimeError("multi\nline \x1b trouble"), SourceError, "multi line"),
        (DownloadError("x", (None, AddressRefused("ours"), None)), AddressRefused, "ours"),
    ],
)
def test_exceptions(error: Exception, kind: type[ChannelscribeError], words: str) -> None:
    failure = classify(error, URL)
    assert type(failure) is kind and words in str(failure)


@pytest.mark.parametrize("error", [http_error(404), ExtractorError(f"cannot get {URL}; try", cause=OSError("x"))])
def test_messages_are_one_line_without_secrets(error: Exception) -> None:
    failure = classify(error, URL)
    assert "\n" not in str(failure) and "Traceback" not in str(failure) and len(failure.message) < 600
    assert "t0ken" not in repr(failure) and "pa55word" not in repr(failure)
    assert str(pickle.loads(pickle.dumps(failure))) == str(failure)
