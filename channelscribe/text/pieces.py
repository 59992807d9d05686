"""A text of any length as pieces that spaCy takes: a few sentences each, so that memory does not grow with the text.

Where a piece ends depends on the text alone, never on what else is read with it: that is why a reading does not
depend on how the work was split. Needs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["LONGEST", "Piece", "pieces"]

ENOUGH = 1200
"""Characters after which a piece ends with its sentence: a minute and a half of speech."""
LONGEST = 3000
"""Characters of the longest stretch of one sentence that is taken whole; spaCy itself stops at a million."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters [start, end) of a text, and where sentences begin in it, counted from `start`."""

    start: int
    end: int
    sentences: tuple[int, ...]


def pieces(text: str, sentences: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    """The sentences (in order, apart) in groups of at least ENOUGH characters, but for the last one."""
    begins: list[int] = []
    last = 0
    for start, end in (part for span in sentences for part in _parts(text, *span)):
        begins.append(start)
        last = end
        if end - begins[0] >= ENOUGH:
            yield _piece(begins, last)
            begins = []
    if begins:
        yield _piece(begins, last)


def _piece(begins: list[int], end: int) -> Piece:
    return Piece(begins[0], end, tuple(begin - begins[0] for begin in begins))


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentence, or parts of at most LONGEST characters that end at a space where there is one."""
    while end - start > LONGEST:
        space = text.rfind(" ", start + LONGEST // 2, start + LONGEST)
        cut = space if space > 0 else start + LONGEST
        yield start, cut
        start = cut + 1 if space > 0 else cut
    if start < end:
        yield start, end
