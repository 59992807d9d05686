"""The measures agree with the libraries that the field uses, and with cases worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.evaluation.metrics import (
    WordErrors,
    diarization_error_rate,
    edit_pairs,
    entity_f1,
    median_and_p90,
    normalize,
    word_error_rate,
    word_speaker_matches,
    word_start_errors,
)
from channelscribe.transcript import Turn, Word

_texts = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=12).map(" ".join)


@dataclass
class Said:
    text: str
    start: float
    speaker: str | None = None


@given(_texts, _texts)
def test_as_many_errors_as_jiwer_counts(reference: str, hypothesis: str) -> None:
    ours, theirs = word_error_rate(reference, hypothesis), jiwer.process_words(reference, hypothesis)
    errors = ours.substitutions + ours.deletions + ours.insertions
    assert errors == theirs.substitutions + theirs.deletions + theirs.insertions
    assert ours.rate == pytest.approx(theirs.wer)


@given(_texts, _texts)
def test_pairs_are_in_order_and_complete(reference: str, hypothesis: str) -> None:
    pairs = edit_pairs(reference.split(), hypothesis.split())
    assert [i for i, _ in pairs if i is not None] == list(range(len(reference.split())))
    assert [j for _, j in pairs if j is not None] == list(range(len(hypothesis.split())))


def test_case_and_punctuation_do_not_count() -> None:
    assert word_error_rate("Good morning, Anna's train!", "good morning - ANNA’S 'train'") == WordErrors(0, 0, 0, 4)
    assert normalize("...") == ""


def test_each_kind_of_error() -> None:
    assert word_error_rate("1 2 3 4 5 6", "1 too 4 5 6 7") == WordErrors(1, 1, 1, 6)
    assert word_error_rate("", "") == WordErrors()
    assert word_error_rate("", "ghost").rate == float("inf")
    assert (WordErrors(1, 0, 0, 4) + WordErrors(0, 1, 0, 4)).rate == 0.25


def test_start_errors_are_those_of_right_words() -> None:
    said = [Said("one", 0.0), Said("two", 1.0), Said("three", 2.0)]
    heard = [Said("One,", 0.1), Said("too", 9.0), Said("three", 1.7)]
    errors = word_start_errors(said, heard)
    assert errors == pytest.approx([0.1, 0.3])
    assert median_and_p90(errors) == pytest.approx((0.2, 0.28))


def test_speakers_are_matched_by_the_best_naming() -> None:
    said = [Said(word, i, speaker) for i, (word, speaker) in enumerate(zip("abcdef", "XXXYYY", strict=True))]
    heard = [Said(word, i, who) for i, (word, who) in enumerate(zip("abcdef", "111122", strict=True))]
    assert word_speaker_matches(said, heard) == (5, 6)
    assert word_speaker_matches(said, [Said("a", 0, None)]) == (0, 1)
    assert word_speaker_matches([], []) == (0, 0)


def test_words_of_transcripts_can_be_measured() -> None:
    word = Word("one", 0.0, 0.5, speaker="SPEAKER_00")
    assert word_start_errors([word], [word]) == [0.0]


def test_diarization_errors_in_seconds() -> None:
    reference = [Turn(0, 10, "A"), Turn(10, 20, "B")]

    def errors(*hypothesis: Turn, collar: float = 0.25) -> tuple[float, float]:
        return diarization_error_rate(reference, hypothesis, collar)

    assert errors(Turn(0, 10, "x"), Turn(10, 20, "y")) == pytest.approx((0.0, 19.0))
    assert errors(Turn(0, 12, "x"), Turn(12, 20, "y"), collar=0) == pytest.approx((2.0, 20.0))
    # a boundary that is less than the collar off costs nothing
    assert errors(Turn(0, 10.2, "x"), Turn(10.2, 20, "y")) == pytest.approx((0.0, 19.0))
    assert errors(collar=0) == pytest.approx((20.0, 20.0))
    assert diarization_error_rate([], []) == (0.0, 0.0)


def test_entity_f1_counts_mentions() -> None:
    assert entity_f1(["a", "a", "b"], ["a", "b", "c"]) == pytest.approx(2 / 3)
    assert entity_f1([], []) == 1.0
    assert entity_f1(["a"], []) == 0.0
