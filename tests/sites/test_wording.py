"""The sentences are those of yt-dlp's extractors and of YouTube's player, as users report them."""

from __future__ import annotations

import pickle

import pytest
from yt_dlp.networking import Response  # type: ignore[import-untyped]
from yt_dlp.networking.exceptions import HTTPError, TransportError  # type: ignore[import-untyped]
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive  # type: ignore[import-untyped]

from channelscribe.errors import (
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
    VideoUnavailable,
)
from channelscribe.sites.wording import classify

URL = "https://user:pa55word@example.org/watch?v=x&token=t0ken"

SENTENCES = [
    ("Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies", SourceBlocked, "bot_check"),
    ("Sign in to confirm you're not a robot", SourceBlocked, "bot_check"),
    ("Got HTTP Error 403 caused by Cloudflare anti-bot challenge; try again", SourceBlocked, "bot_check"),
    ("Video unavailable. YouTube is requiring a captcha challenge before playback", SourceBlocked, "bot_check"),
    ("Video unavailable. This content isn’t available", SourceBlocked, "blocked"),
    (
        "Video unavailable. This content isn't available, try again later. The current session has been "
        "rate-limited by YouTube for up to an hour.", SourceBlocked, "blocked",
    ),
    ("You have exceeded the rate limit. Try again later", SourceBlocked, "blocked"),
    ("Your IP address is blocked from accessing this post", SourceBlocked, "blocked"),
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
    (
        "Private video. Sign in if you've been granted access to this video", VideoUnavailable, "private",
    ),
    ("Video unavailable. This video is private", VideoUnavailable, "private"),
    ("This VOD is private", VideoUnavailable, "private"),
    ("This is a private playlist. You need to login as its owner", VideoUnavailable, "private"),
    (
        "This video is only available for registered users. Use --cookies, --cookies-from-browser",
        SignInRequired, "sign_in_required",
    ),
    ("Login required to access this video", SignInRequired, "sign_in_required"),
    ("This video is protected by a password, use the --video-password option", SignInRequired, "sign_in_required"),
    (
        "The uploader has not made this video available in your country", VideoUnavailable, "geo_blocked",
    ),
    (
        "Video unavailable. This video contains content from SME, who has blocked it in your country on "
        "copyright grounds", VideoUnavailable, "geo_blocked",
    ),
    ("This video contains content from SME, who has blocked it on copyright grounds", VideoUnavailable, "copyright"),
    ("This video is DRM protected", VideoUnavailable, "drm"),
    ("This live event will begin in 5 days.", NotYet, "upcoming"),
    ("Premieres in 3 hours", NotYet, "upcoming"),
    ("This livestream has not yet started", NotYet, "upcoming"),
    ("This live event is scheduled for 2026-12-24 18:00", NotYet, "upcoming"),
    ("This live event will begin at 2026-12-24 JST", NotYet, "upcoming"),
    ("This live stream recording is not available.", NotYet, "post_live"),
    ("We're processing this video. Check back later.", NotYet, "post_live"),
    ("This live event has ended.", NotYet, "post_live"),
    ("Video unavailable. This video has been removed by the uploader", VideoUnavailable, "removed"),
    (
        "Video unavailable. This video is no longer available because the YouTube account associated with this "
        "video has been terminated.", VideoUnavailable, "removed",
    ),
    ("This video has been removed for violating YouTube's Terms of Service", VideoUnavailable, "removed"),
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
    ("Unable to extract player response", SourceError, "source_error"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "kind", "reason"), SENTENCES)
def test_a_sentence_means_one_thing(sentence: str, kind: type[ChannelscribeError], reason: str) -> None:
    original = ExtractorError(sentence, expected=True, video_id="private-members-only-404", ie="youtube")
    for error in (original, DownloadError(f"ERROR: {original}", (None, original, None))):
        failure = classify(error, URL)
        assert (type(failure), failure.reason) == (kind, reason), failure


def http_error(status: int) -> DownloadError:
    cause = HTTPError(Response(fp=_Nothing(), headers={}, url=URL, status=status))
    inner = ExtractorError("Unable to download webpage: " + cause.msg, cause=cause, expected=True)
    return DownloadError(f"ERROR: {inner}", (None, inner, None))


class _Nothing:
    closed = True

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (401, SignInRequired, "sign_in_required"),
        (403, SourceUnreachable, "forbidden"),
        (404, SourceNotFound, "not_found"),
        (410, SourceNotFound, "not_found"),
        (418, SourceError, "source_error"),
        (429, SourceBlocked, "blocked"),
        (451, VideoUnavailable, "geo_blocked"),
        (500, SourceUnreachable, "unreachable"),
        (503, SourceUnreachable, "unreachable"),
    ],
)
def test_a_status_means_one_thing(status: int, kind: type[ChannelscribeError], reason: str) -> None:
    failure = classify(http_error(status), URL)
    assert (type(failure), failure.reason) == (kind, reason), failure


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
