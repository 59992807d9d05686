"""What two transcripts of one video say differently, word by word, with the time of each change.

Needs nothing. Words are compared without case and punctuation, so that a comma is no change. The common words
are found with difflib's matching of longest blocks, whose frequent words count only beside rarer ones: the answer is a
right one, if not always the shortest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from channelscribe.evaluation.metrics import normalize
from channelscribe.transcript import Transcript, Word

__all__ = ["Change", "Changes", "changes"]


@dataclass(frozen=True, slots=True)
class Change:
    """Other words from `start` to `end` (seconds); `old` or `new` is empty where words came or went."""

    start: float
    end: float
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes in order. `same` words of the `old_words` and `new_words` are in both."""

    changes: list[Change]
    old_words: int
    new_words: int
    same: int

    @property
    def alike(self) -> float:
        """Twice the words in common over all words of both; 1 for two empty transcripts."""
        words = self.old_words + self.new_words
        return 2 * self.same / words if words else 1.0


def changes(old: Transcript, new: Transcript) -> Changes:
    """From `old` to `new`; both on the video's own time."""
    before, after = old.words, new.words
    first, second = ([normalize(word.text) or word.text for word in words] for words in (before, after))
    matcher = SequenceMatcher(None, first, second)
    found = list(_changes(matcher, before, after))
    same = sum(block.size for block in matcher.get_matching_blocks())
    return Changes(found, len(before), len(after), same)


def _changes(matcher: SequenceMatcher[str], before: Sequence[Word], after: Sequence[Word]) -> Iterator[Change]:
    for kind, first, last, from_, to in matcher.get_opcodes():
        if kind != "equal":
            words = [*before[first:last], *after[from_:to]]
            yield Change(
                min(word.start for word in words),
                max(word.end for word in words),
                " ".join(word.text for word in before[first:last]),
                " ".join(word.text for word in after[from_:to]),
            )
