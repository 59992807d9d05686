"""The language of a recording is decided on its speech, not on its first half minute."""

from __future__ import annotations

from typing import Any

import pytest

from channelscribe.speech.language import decide, runs, windows
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


class _Spoken:
    """A chunk in which languages follow each other: (from second, language)."""

    def __init__(self, *parts: tuple[float, str]) -> None:
        self.parts = parts

    def heard(self, stretches: Any) -> list[dict[str, float]]:
        return [self._told(start, end) for start, end in stretches]

    def _told(self, start: float, end: float) -> dict[str, float]:
        ends = [*(begin for begin, _ in self.parts[1:]), 1e9]
        shares: dict[str, float] = {}
        for (begin, language), until in zip(self.parts, ends, strict=True):
            shares[language] = shares.get(language, 0.0) + max(0.0, min(end, until) - max(start, begin)) / (end - start)
        return {language: share for language, share in shares.items() if share} or {"en": 1.0}


def _runs(seconds: float, *parts: tuple[float, str]) -> list[tuple[float, float, str]]:
    return runs(seconds, "en", _Spoken(*parts).heard, lambda start, end: (start + end) / 2)


def test_a_chunk_in_one_language_is_one_whichever_it_is() -> None:
    assert _runs(29.0, (0, "en")) == [(0.0, 29.0, "en")]
    assert _runs(29.0, (0, "de")) == [(0.0, 29.0, "de")]
    assert _runs(3.0, (0, "de")) == [(0.0, 3.0, "de")]
    assert _runs(29.0, (0, "en"), (14, "de"), (16, "en")) == [(0.0, 29.0, "en")]  # a word of another is none


def test_where_the_language_changes_the_chunk_is_cut() -> None:
    (first, second) = _runs(30.0, (0, "en"), (13.3, "de"))
    assert (first[2], second[2]) == ("en", "de")
    assert first[1] == second[0] == pytest.approx(13.3, abs=0.5)
    three = _runs(30.0, (0, "en"), (9, "de"), (21, "en"))
    assert [language for _, _, language in three] == ["en", "de", "en"]
    assert [start for start, _, _ in three] == [0.0, three[0][1], three[1][1]]


def test_a_language_that_is_not_clear_is_the_main_one() -> None:
    assert runs(16.0, "en", lambda parts: [{"de": 0.7, "en": 0.1}] * len(parts), min) == [(0.0, 16.0, "en")]
    assert runs(16.0, "en", lambda parts: [{"de": 0.85, "en": 0.12}] * len(parts), min) == [(0.0, 16.0, "en")]


@pytest.mark.parametrize(
    ("seconds", "heard", "expected", "asked"),
    [
        (2.0, {"pt": 0.6, "fr": 0.3}, "fr", True),
        (2.0, {"pt": 0.6, "en": 0.3}, "fr", True),
        (2.0, {"pt": 0.95}, "pt", False),
        (60.0, {"pt": 0.6, "fr": 0.3}, "pt", False),
    ],
)
def test_too_little_speech_is_in_the_usual_language(
    seconds: float, heard: dict[str, float], expected: str, asked: bool
) -> None:
    calls: list[str] = []

    def usual() -> str:
        calls.append("fr")
        return "fr"

    assert decide([(seconds, heard)], usual).language == expected
    assert bool(calls) is asked
    assert decide([(seconds, heard)]).language == "pt"
