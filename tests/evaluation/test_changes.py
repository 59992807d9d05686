"""The differences between two transcripts: known ones, and that old words become new ones by them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channelscribe.evaluation.changes import Change, changes
from channelscribe.transcript import Segment, Transcript, Word


def said(*words: str) -> Transcript:
    """A word a second."""
    placed = [Word(word, float(n), n + 0.5, 0.9, None) for n, word in enumerate(words)]
    return Transcript("en", float(len(words)), [Segment(0.0, float(len(words)), " ".join(words), words=placed)])


def test_known_changes() -> None:
    found = changes(said("The", "night", "train", "leaves,"), said("the", "knight", "train", "leaves", "now"))
    assert found.changes == [Change(1.0, 1.5, "night", "knight"), Change(4.0, 4.5, "", "now")]
    assert (found.same, found.old_words, found.new_words) == (3, 4, 5)
    assert found.alike == 6 / 9


def test_nothing_said_twice_is_alike() -> None:
    assert changes(said(), said()).alike == 1.0
    assert changes(said("a"), said()).changes == [Change(0.0, 0.5, "a", "")]


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_what_is_the_same_and_what_changed_is_everything(old: list[str], new: list[str]) -> None:
    found = changes(said(*old), said(*new))
    gone = [word for change in found.changes for word in change.old.split()]
    came = [word for change in found.changes for word in change.new.split()]
    assert (len(gone) + found.same, len(came) + found.same) == (len(old), len(new))
    assert (old == new) == (found.changes == [])
