"""The language of a recording is decided on its speech, not on its first half minute."""

from __future__ import annotations

import pytest

from channelscribe.speech.language import decide, windows
from channelscribe.speech.vad import Chunk


def _chunks(seconds: list[float]) -> list[Chunk]:
    return [Chunk(30.0 * i, 30.0 * i + each, ((30.0 * i, 30.0 * i + each),)) for i, each in enumerate(seconds)]


def test_windows_are_spread_over_the_recording_and_have_much_speech() -> None:
    found = _chunks([2.0, 28.0, 5.0] * 40)
    chosen = windows(found)
    assert 3 <= len(chosen) <= 9
    assert {chunk.speech_seconds for chunk in chosen} == {28.0}
    assert chosen[0].start < 600
    assert chosen[-1].start > 2400
    assert len(windows(_chunks([30.0] * 2000))) == 9


def test_short_recordings_give_all_they_have() -> None:
    assert len(windows(_chunks([8.0, 9.0]))) == 2
    assert len(windows(_chunks([0.2]))) == 1
    assert [chunk.speech_seconds for chunk in windows(_chunks([0.2, 4.0]))] == [4.0]


def test_a_jingle_in_another_language_does_not_decide() -> None:
    votes = [(5.0, {"en": 0.9, "de": 0.1})] + [(25.0, {"de": 0.8, "nl": 0.2})] * 4
    found = decide(votes)
    assert found.language == "de"
    assert not found.mixed
    assert found.probability == pytest.approx((5 * 0.1 + 100 * 0.8) / 105, abs=0.001)


def test_mixed_languages_are_flagged_and_doubtful_ones_are_not() -> None:
    mixed = decide([(20.0, {"en": 0.95}), (20.0, {"en": 0.9}), (20.0, {"fr": 0.97})])
    assert (mixed.language, mixed.mixed) == ("en", True)
    assert mixed.shares == {"en": pytest.approx(0.667), "fr": pytest.approx(0.333)}
    doubtful = decide([(20.0, {"en": 0.95}), (20.0, {"en": 0.9}), (20.0, {"fr": 0.4, "en": 0.35})])
    assert not doubtful.mixed
