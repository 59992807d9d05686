"""The keys of the store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.errors import KeyRefused
from channelscribe.store import layout

DIGITS = "0123456789abcdef" * 4
SHORT = "0123456789ab"


def test_where_things_are() -> None:
    assert layout.archive_key("youtube", "-a_B") == "audio_files/youtube/-a_B.mp3"
    assert layout.original_key("youtube", "a", "140-drc", "m4a") == "originals/youtube/a/140-drc.m4a"
    assert layout.cover_key("youtube", "a") == "originals/youtube/a/cover.image"
    assert layout.speech_key("youtube", "a", DIGITS) == f"speech_tracks/youtube/a/{SHORT}.flac"
    assert layout.checkpoint_key("align", DIGITS) == f"checkpoints/align/{DIGITS}.json"
    assert layout.transcript_key("youtube", "a", DIGITS, "srt") == f"transcriptions/youtube/a/{SHORT}.srt"
    assert layout.reading_key("youtube", "a", DIGITS) == f"processed/youtube/a/{SHORT}.json"


@pytest.mark.parametrize("bad", ["", ".", "..", "../x", "a/b", "/a", "a\x00", "a b", "a.b", "é", "a\n"])
def test_odd_parts_are_refused(bad: str) -> None:
    calls: list[Callable[[], str]] = [
        lambda: layout.archive_key("youtube", bad),
        lambda: layout.original_key("youtube", "a", "140", bad),
        lambda: layout.speech_key("youtube", "a", bad),
        lambda: layout.checkpoint_key(bad, DIGITS),
        lambda: layout.transcript_key("youtube", bad, DIGITS, "txt"),
        lambda: layout.reading_key("youtube", "a", bad),
    ]
    for call in calls:
        with pytest.raises(KeyRefused):
            call()


@given(st.text(max_size=50))
def test_formats_may_be_named_anything(format_id: str) -> None:
    key = layout.original_key("youtube", "a", format_id, "webm")
    assert layout.check_key(key).startswith("originals/youtube/a/")
    assert key.count("/") == 3
