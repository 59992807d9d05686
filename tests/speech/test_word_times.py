"""Every word gets a time, in order and inside its segment, whatever the aligner left out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.languages import cut_text, words_of
from channelscribe.speech.decoding import taken
from channelscribe.speech.word_times import (
    Piece,
    Sound,
    attended_times,
    complete_times,
    heard_speech,
    kept_in_speech,
    spread,
    spread_over,
    timed_by,
)


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


def test_a_word_is_timed_by_its_letters_and_a_mark_by_nothing() -> None:
    pieces = [
        Piece(" Com", 0, 0.2, 0.5),
        Piece("fy", 0.2, 0.4, 0.7),
        Piece("UI", 0.4, 0.6, 0.9),
        Piece(".", 0.6, 3, 0.9),
    ]
    (word,) = attended_times("ComfyUI.", "en", pieces) or []
    assert (word["text"], word["end"], word["aligned"], timed_by(word)) == ("ComfyUI.", 0.6, False, "attention")
    assert attended_times("Another text", "en", pieces) is None


def test_marks_do_not_stand_alone_and_foreign_words_stay_whole_where_there_are_no_spaces() -> None:
    assert words_of("今日はComfyUI 2の話です。「東京」", "ja") == [
        *"今日は", "ComfyUI", "2", *"の話で", "す。", "「東", "京」"
    ]  # fmt: skip
    assert words_of("เรียน ภาษา", "th") == ["เรี", "ย", "น", "ภา", "ษา"]
    assert cut_text("สวัสดี ครับ", [2, 3], "th") == ["สวั", "สดี ค"]
    assert cut_text("one  two three", [1, 2], "en") == ["one", "two three"]


def test_what_is_said_after_a_pause_does_not_begin_in_it() -> None:
    words = attended_times("link Well actually", "en", [Piece("link", 9.6, 10, 1), Piece("Well", 10, 15.8, 1),
                                                        Piece("actually", 15.8, 16.3, 1)])  # fmt: skip
    kept = kept_in_speech(words or [], [(9.0, 10.0), (15.5, 17.0)])
    assert [(word["start"], word["end"]) for word in kept][1] == (15.4, 15.8)
    aligned = [word | {"aligned": True} for word in words or []]  # an aligner knows where it begins
    assert [word["end"] for word in kept_in_speech(aligned, [(9.0, 11.0), (15.5, 17.0)])][1] == 11.1


def test_silence_at_the_ends_of_a_word_is_not_the_word() -> None:
    levels = np.array([-0.8] * 50 + [0.3] * 30 + [-0.8] * 20, np.float32)
    sound = Sound.of(levels, 2.0, 0.01, 0.25)
    (word,) = kept_in_speech(attended_times("so", "en", [Piece("so", 2.0, 2.95, 1)]) or [], [(2.0, 3.0)], sound)
    assert (word["start"], word["end"]) == (2.48, 2.82)
    noisy = Sound.of(np.array([0.2, 0.3] * 50, np.float32), 2.0, 0.01, 0.25)
    assert noisy.trimmed(2.0, 2.9) == (2.0, 2.9)


def test_words_that_are_heard_where_the_detector_heard_nothing_are_speech() -> None:
    words = attended_times("here there", "en", [Piece("here", 1, 1.5, 0.9), Piece("there", 5, 5.5, 0.9)]) or []
    loud = Sound(0, 0.01, np.ones(1000, np.bool_))
    assert heard_speech(words, [(1.0, 2.0)], loud) == [(1.0, 2.0), (5.0, 5.5)]
    assert heard_speech(words, [(1.0, 2.0)], Sound(0, 0.01, np.zeros(1000, np.bool_))) == [(1.0, 2.0)]
    unsure = [word | {"score": 0.1} for word in words]
    assert heard_speech(unsure, [(1.0, 2.0)], loud) == [(1.0, 2.0)]


stretches = st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)), min_size=1, max_size=5).map(
    lambda pairs: [
        (sum(sum(p) for p in pairs[:i]) + a, sum(sum(p) for p in pairs[: i + 1])) for i, (a, _) in enumerate(pairs)
    ]
)


@given(stretches, st.lists(st.floats(0, 40), min_size=2, max_size=12))
def test_no_word_reaches_out_of_the_speech(speech: list[tuple[float, float]], times: list[float]) -> None:
    times = sorted(times)
    pieces = [Piece(f" w{place}", a, b, 0.5) for place, (a, b) in enumerate(pairwise(times))]
    words = attended_times("".join(piece.text for piece in pieces), "en", pieces) or []
    for kind in (words, [word | {"aligned": True} for word in words]):
        kept = kept_in_speech(kind, speech)
        flat = [time for word in kept for time in (word["start"], word["end"])]
        assert flat == sorted(flat)
        assert all(any(a - 0.11 <= time <= b + 0.11 for a, b in speech) for time in flat)


@given(st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=9), stretches)
def test_spread_words_lie_in_speech(words: list[str], speech: list[tuple[float, float]]) -> None:
    found = spread_over(words, speech)
    assert [word["text"] for word in found] == words
    assert all(any(a - 0.01 <= word["start"] <= word["end"] <= b + 0.01 for a, b in speech) for word in found)


def test_a_number_that_the_aligner_cannot_spell_keeps_the_time_that_was_attended_to() -> None:
    words: list[dict[str, Any]] = [
        {"word": "in", "start": 1.0, "end": 1.2, "score": 1.0}, {"word": "1984"},
        {"word": "war", "start": 4.0, "end": 4.3, "score": 1.0},
    ]  # fmt: skip
    attended = attended_times("in 1984 war", "en", [Piece("in", 1, 1.2, 1), Piece(" 1984", 1.3, 2.1, 0.8),
                                                    Piece(" war", 3.9, 4.3, 1)])  # fmt: skip
    found = complete_times(words, 0, 5, attended or [])[1]
    assert (found["end"], found["score"], found["aligned"]) == (2.1, 0.8, False)
    elsewhere = [word | {"start": 9.0, "end": 9.5} for word in attended or []]
    assert complete_times(words, 0, 5, elsewhere)[1] == complete_times(words, 0, 5)[1]


def test_some_of_what_the_encoder_heard_is_taken_as_it_is() -> None:
    ctranslate2 = pytest.importorskip("ctranslate2")
    whole = np.arange(4 * 6 * 2, dtype=np.float32).reshape(4, 6, 2)
    encoded = ctranslate2.StorageView.from_array(whole)
    assert taken(encoded, [0, 1, 2, 3]) is encoded
    assert np.array_equal(np.asarray(taken(encoded, [3, 1])), whole[[3, 1]])
    assert np.array_equal(np.asarray(taken(encoded, [2], slice(1, 4))), whole[[2], 1:4])
