"""The shortest way from one word sequence to another. Needs numpy; leaves nothing behind.

Source: Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals" (1966).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pair", "edit_pairs", "normalize"]

Pair = tuple[int | None, int | None]
"""(index in the reference, index in the hypothesis); None where one of them has no such word."""

_NOT_SPOKEN = re.compile(r"[^\w']|_")


def normalize(word: str) -> str:
    """The word as it is compared: case folded, without punctuation; apostrophes inside it stay."""
    return _NOT_SPOKEN.sub("", word.casefold().replace("’", "'")).strip("'")


def edit_pairs(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Pair]:
    """Pairs of a cheapest alignment, in order; substitution, deletion and insertion cost 1 each.

    Takes memory for len(reference) x len(hypothesis) small integers: 9,000 words of an hour are 330 MB at
    most.
    """
    costs = _costs(reference, hypothesis)
    pairs: list[Pair] = []
    i, j = len(reference), len(hypothesis)
    while i or j:
        if i and j and costs[i, j] == costs[i - 1, j - 1] + (reference[i - 1] != hypothesis[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return pairs[::-1]


def _costs(reference: Sequence[str], hypothesis: Sequence[str]) -> NDArray[np.int32]:
    """costs[i, j]: edits between the first i and the first j words."""
    numbers = {word: number for number, word in enumerate(dict.fromkeys([*reference, *hypothesis]))}
    target = np.array([numbers[word] for word in hypothesis], dtype=np.int32)
    steps = np.arange(len(hypothesis) + 1, dtype=np.int32)
    costs = np.empty((len(reference) + 1, len(hypothesis) + 1), dtype=np.int32)
    costs[0] = steps
    for i, word in enumerate(reference, start=1):
        row = costs[i - 1] + 1
        row[1:] = np.minimum(row[1:], costs[i - 1, :-1] + (target != numbers[word]))
        # an insertion costs 1 for every step to the right: a running minimum once the steps are taken off
        costs[i] = np.minimum.accumulate(row - steps) + steps
    return costs
