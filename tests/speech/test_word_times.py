"""Every word gets a time, in order and inside its segment, whatever the aligner left out."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from channelscribe.speech.word_times import complete_times, spread, words_of


@st.composite
def aligner_words(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Words as WhisperX returns them: most with times in order, some without, some with a neighbour's times."""
    words: list[dict[str, Any]] = []
    clock = draw(st.floats(0, 5))
    for _ in range(draw(st.integers(1, 12))):
        word: dict[str, Any] = {"word": draw(st.text("abcdefg", min_size=1, max_size=8))}
        kind = draw(st.sampled_from(["aligned", "aligned", "missing", "copied"]))
        if kind == "aligned":
            start = clock + draw(st.floats(0, 2))
            clock = start + draw(st.floats(0, 1))
            word |= {"start": start, "end": clock, "score": 0.9}
        elif kind == "copied":
            word |= {"start": clock, "end": clock}
        words.append(word)
    return words


@given(aligner_words(), st.floats(0, 3), st.floats(0, 20))
def test_every_word_has_a_time_inside_its_segment(words: list[dict[str, Any]], start: float, length: float) -> None:
    start, end = round(start, 3), round(start + length, 3)
    complete = complete_times(words, start, end)

    assert [word["text"] for word in complete] == [word["word"] for word in words]
    times = [time for word in complete for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[0] >= start - 1e-9
    assert times[-1] <= end + 1e-9
    assert [word["aligned"] for word in complete] == ["score" in word for word in words]


def test_missing_words_share_the_gap_by_length() -> None:
    words: list[dict[str, Any]] = [
        {"word": "from", "start": 1.0, "end": 1.5, "score": 1.0},
        {"word": "12", "start": 1.0, "end": 1.5},  # WhisperX copied a neighbour
        {"word": "345678"},
        {"word": "on", "start": 3.5, "end": 4.0, "score": 1.0},
    ]
    complete = complete_times(words, 0.0, 5.0)

    assert [(word["start"], word["end"]) for word in complete] == [(1, 1.5), (1.5, 2), (2, 3.5), (3.5, 4)]
    assert [word["aligned"] for word in complete] == [True, False, False, True]


def test_spread_covers_the_whole_stretch() -> None:
    words = spread(["a", "bb", "c"], 2.0, 6.0)
    assert [(word["start"], word["end"]) for word in words] == [(2, 3), (3, 5), (5, 6)]
    assert spread([], 0.0, 1.0) == []


def test_words_are_characters_where_there_are_no_spaces() -> None:
    assert words_of("good  morning, all", "en") == ["good", "morning,", "all"]
    assert words_of("早上 好", "zh") == ["早", "上", "好"]
