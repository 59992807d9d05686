"""Corrections as pure functions: odd segments, capitals and marks, characters there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.text.correcting import (
    Correction,
    Edit,
    Offsets,
    Standing,
    corrected_segments,
    in_case_of,
    place,
    plain,
    tokens,
)
from channelscribe.transcript import Segment, Word


def corrected(segment: Segment, old: str, new: str, language: str = "en") -> Segment:
    said = tokens([(0, segment)], language)
    wanted = tuple(plain(word) for word in old.split())
    start = next(token.start for token in said if token.plain == wanted[0])
    placed = place([Correction(1, start, start, wanted, new)], said, language, whole=False)
    assert placed.standings == {1: Standing.APPLIED}
    return corrected_segments({0: segment}, said, placed, language)[0][0]


def test_a_segment_without_words_has_none_afterwards() -> None:
    segment = Segment(0, 4, " We open confu i, and  go ", "S0")
    made = corrected(segment, "confu i", "ComfyUI,")
    assert (made.text, made.words) == (" We open ComfyUI, and  go ", [])


def test_words_that_are_not_those_of_the_text_become_its_own() -> None:
    words = [Word("We", 0, 1, 0.5, "S0"), Word("opened", 1, 2, 0.5, "S0")]
    made = corrected(Segment(0, 4, "We open it now", "S0", None, words), "it", "that")
    assert made.text == "We open that now"
    assert [word.text for word in made.words] == ["We", "open", "that", "now"]
    assert not any(word.aligned for word in made.words)


def test_what_is_put_in_takes_the_pause_or_shares_the_word_before() -> None:
    words = [Word("one", 0.0, 0.5, 0.5), Word("two", 2.0, 2.5, 0.5), Word("three", 2.5, 3.0, 0.5)]
    segment = Segment(0, 3, "one two three", None, None, words)
    pause, shared = corrected(segment, "one", "one and"), corrected(segment, "two", "two or")
    assert [(word.text, word.start, word.end) for word in pause.words[:2]] == [
        ("one", 0.0, 0.5),
        ("and", 0.5, pytest.approx(0.68)),
    ]
    assert [(word.text, word.start, word.end) for word in shared.words[1:3]] == [
        ("two", 2.0, pytest.approx(2.3)),
        ("or", pytest.approx(2.3), pytest.approx(2.5)),
    ]
    assert shared.words[0] == words[0] and shared.words[3] == words[2]


@pytest.mark.parametrize(
    ("new", "old", "made"),
    [
        ("comfyui", "Confu I,", "Comfyui,"),
        ("ComfyUI", "confu i.", "ComfyUI."),
        ("comfy", "CONFU", "COMFY"),
        ("we", "I", "We"),  # a capital alone is no shouting
        ("really?", "real.", "really?"),
        ("", "real.", ""),
        ("élan", "«Elan»", "«Élan»"),
        ("C++", "see plus plus,", "C++,"),
    ],
)
def test_capitals_and_marks(new: str, old: str, made: str) -> None:
    assert in_case_of(new, old) == made


@pytest.mark.parametrize(
    ("word", "made"), [("I,", "i"), ("«Straße»", "strasse"), ("don’t", "don't"), ("—", "—"), ("C++.", "c++")]
)
def test_what_is_compared(word: str, made: str) -> None:
    assert plain(word) == made


@given(st.text("ab ", min_size=1, max_size=30), st.data())
def test_characters_there_and_back(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    edits = [Edit(first, last, data.draw(st.text("xyz", min_size=1, max_size=5))) for first, last in pairs]
    made, at = "", 0
    for edit in edits:
        made += text[at : edit.first] + edit.text
        at = edit.last
    made += text[at:]
    there, back = Offsets(edits), Offsets(edits).back(text)
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            first, last = there.span(start, end)
            inside = [edit for edit in edits if edit.first < end and edit.last > start]
            assert there.touched(start, end) == bool(inside)
            if not inside:
                assert made[first:last] == text[start:end]
                assert back.span(first, last) == (start, end)
            low = min([start, *(edit.first for edit in inside)])
            high = max([end, *(edit.last for edit in inside)])
            assert back.span(first, last) == (low, high)  # the whole of what an edit touches
