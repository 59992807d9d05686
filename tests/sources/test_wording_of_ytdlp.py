"""The table against the sentences in the sources of the installed yt-dlp: an upgrade that rewords them shows."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from yt_dlp.extractor.common import InfoExtractor  # type: ignore[import-untyped]
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UserNotLive  # type: ignore[import-untyped]

from channelscribe.sources.error_classification import classify
from tests.sources.ytdlp_sentences import EXTRACTORS, Sentence, sentences

# What YouTube says: the file of yt-dlp's that knows it, the words that stand there, the whole sentence where that is
# longer, and the reason that it must get.
YOUTUBE = [
    ("_video.py", "Your IP is likely being blocked by Youtube", "All player responses are invalid. {}", "blocked"),
    ("_video.py", "This content isn't available, try again later", "{}", "rate_limited"),
    ("_video.py", "has been rate-limited by YouTube", "The current session {} for up to an hour.", "rate_limited"),
    ("_video.py", "YouTube is requiring a captcha challenge before playback", "Video unavailable. {}", "bot_check"),
    ("_video.py", "Private video", "{}. Sign in if you've been granted access to this video", "private"),
    ("_tab.py", "This playlist is private", "YouTube said: {}", "private"),
    ("_tab.py", "Members-only videos", "{}", "members_only"),
    ("_video.py", "confirm your age", "Sign in to {}", "age_gate"),
    ("_video.py", "Age-restricted; requires authentication", "{}", "age_gate"),
    ("_video.py", "inappropriate", "This video may be {} for some users.", "age_gate"),
    ("_video.py", "The uploader has not made this video available in your country", "{}", "geo_blocked"),
    ("_video.py", "This video has been removed for violating YouTube's policy on hate speech.", "{}", "removed"),
    ("_video.py", "This video does not exist.", "{}", "not_found"),
    ("_tab.py", "The channel/playlist does not exist", "{} and the URL redirected to youtube.com", "not_found"),
    ("_video.py", "This video is not available.", "{}", "unavailable"),
    ("_video.py", "Video unavailable", "{}", "unavailable"),
    ("_base.py", "Login details are needed to download this content", "{}", "sign_in_required"),
    ("_tab.py", "Playlists that require authentication may not extract correctly", "{}", "sign_in_required"),
    ("_base.py", "Incomplete data received", "{}", "unreachable"),
    ("_tab.py", "This channel does not have a ", "YouTube said: {}shorts tab", "no_media"),
    ("_tab.py", "A video URL was given without video ID", "{}", "no_media"),
    ("_mistakes.py", "looks truncated.", "Incomplete YouTube ID x. URL y {}", "no_media"),
]

SPECIFIC = 0.77
"""The share of all sentences that get a reason of their own (370 of 480 with yt-dlp 2026.8.19). The others are mostly
`X said: X`, where the site's own words follow."""

# What says so plainly is nothing else. The order of the reasons is that of the table.
PLAIN = {
    r"is private|private (video|playlist|show)": {"private"},
    r"members.only|subscribers only|for subscribers": {"members_only"},
    r"\bage.(restricted|verified)": {"age_gate"},
    r"\b(your|this) (country|region)\b|geo.?(block|restrict)": {"geo_blocked"},
    r"\b(was|been) (deleted|removed)": {"removed"},
    r"no longer available": {"removed"},
    r"not yet started|has not started|will begin": {"upcoming"},
    r"\bDRM\b": {"drm", "geo_blocked"},
    r"captcha": {"bot_check"},
    r"rate.limit": {"rate_limited"},
}


@cache
def texts_in(file: str) -> str:
    """All texts in a source of yt-dlp's YouTube extractors."""
    tree = ast.parse((EXTRACTORS / "youtube" / file).read_text(encoding="utf-8"))
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(each for each in constants if isinstance(each, str))


@pytest.mark.parametrize(("file", "known", "sentence", "reason"), YOUTUBE)
def test_what_youtube_says(file: str, known: str, sentence: str, reason: str) -> None:
    assert known in texts_in(file), f"yt-dlp's {file} says {known!r} no more: see what YouTube says now"
    error = ExtractorError(sentence.format(known), expected=True)
    assert classify(error, "https://example.org").reason == reason


def raised(sentence: Sentence) -> ExtractorError:
    """The error as yt-dlp raises it, with its hints."""
    try:
        if sentence.call == "raise_login_required":
            InfoExtractor().raise_login_required(sentence.text)
        if sentence.call in ("raise_geo_restricted", "GeoRestrictedError"):
            raise GeoRestrictedError(sentence.text)
        if sentence.call == "UserNotLive":
            raise UserNotLive(sentence.text)
        raise ExtractorError(sentence.text, expected=True)
    except ExtractorError as error:
        return error


@cache
def reasons() -> list[tuple[Sentence, str]]:
    """Each sentence with the reason that it gets."""
    return [(each, classify(raised(each), "https://example.org").reason) for each in sentences()]


@pytest.mark.slow
def test_most_sentences_get_a_reason_of_their_own() -> None:
    found = [reason for _, reason in reasons()]
    assert len(found) > 400
    assert sum(reason != "source_error" for reason in found) / len(found) >= SPECIFIC


@pytest.mark.parametrize(("pattern", "allowed"), PLAIN.items())
def test_what_is_said_plainly_is_taken_so(pattern: str, allowed: set[str]) -> None:
    said = [(each.text, reason) for each, reason in reasons() if re.search(pattern, each.text, re.IGNORECASE)]
    assert said
    assert [(text, reason) for text, reason in said if reason not in allowed] == []
