"""Where a long talk changes its subject: TextTiling.

Source: Hearst, "TextTiling: Segmenting Text into Multi-paragraph Subtopic Passages", Computational Linguistics 23(1),
1997: blocks of words to both sides of each gap are compared by the cosine of their counts, the curve is smoothed, and
a gap whose similarity lies much deeper than the peaks around it is a boundary (its "liberal" cutoff, mean - sd/2).
What differs: talks have no paragraphs, so a boundary moves to the nearest end of a sentence; stop words are left out
before words are counted off; and no topic is shorter than half a block. Needs numpy. Time grows with the text, memory
with its vocabulary.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from channelscribe.text.content_words import WITHOUT_SPACES, content_words
from channelscribe.text.key_phrases import key_phrases

__all__ = ["boundaries", "titles", "typical_words"]

STEP = 20
"""Content words between two gaps (Hearst's w)."""
BLOCK = 10
"""Steps on each side that are compared (Hearst's k)."""
CANDIDATES = 30
"""Key phrases of a topic that its title is chosen of."""
_SMOOTHING = 2  # steps to each side
_SHORTEST = BLOCK // 2


def boundaries(text: str, sentence_starts: Sequence[int], stop_words: Collection[str]) -> list[int]:
    """First characters of the topics after the first one: each the beginning of a sentence, in order."""
    words = list(content_words(text, stop_words))
    steps = [Counter(word for _, word in words[at : at + STEP]) for at in range(0, len(words), STEP)]
    if len(steps) < 2 * BLOCK:
        return []
    found = set()
    for gap in _valleys(_smoothed(_similarities(steps))):
        found.add(_nearest(sentence_starts, words[gap * STEP][0]))
    return sorted(found - {sentence_starts[0]} if sentence_starts else ())


def typical_words(
    text: str, spans: Sequence[tuple[int, int]], stop_words: Collection[str], most: int
) -> list[list[str]]:
    """For each span, the words that are frequent in it and rare in the others (tf-idf), the best first."""
    counts = [Counter(word for _, word in content_words(text[start:end], stop_words)) for start, end in spans]
    within = Counter(word for count in counts for word in count)
    typical = []
    for count in counts:
        weights = {word: number * log(1 + len(spans) / within[word]) for word, number in count.items()}
        shown = (word for word in weights if not WITHOUT_SPACES.match(word))
        typical.append(sorted(shown, key=lambda word: (-weights[word], word))[:most])
    return typical


def titles(
    text: str, spans: Sequence[tuple[int, int]], typical: Sequence[Sequence[str]], stop_words: Collection[str]
) -> list[str]:
    """What each span can be called: as it is said, its best key phrase of several words with a typical word in it that
    no earlier title is; else its typical words. Empty where it has neither.
    """
    made: list[str] = []
    for (start, end), words in zip(spans, typical, strict=True):
        found = key_phrases(text[start:end], stop_words, CANDIDATES)
        told = [each for each in found if " " in each.key and not set(words).isdisjoint(each.key.split())]
        said = (text[start + each.start_char : start + each.end_char] for each in told)
        named = (" ".join(each.split()) for each in said)
        title = next((each for each in named if _as_title(each) not in made), ", ".join(words[:2]))
        made.append(_as_title(title))
    return made


def _as_title(text: str) -> str:
    return text[:1].upper() + text[1:]


def _similarities(steps: Sequence[Counter[str]]) -> NDArray[np.float64]:
    """Cosine of the blocks to both sides, for the gap before each step (0 before the first, which is none).

    The blocks slide by a step, so their product and their squares are carried on and not counted anew.
    """
    similar = np.zeros(len(steps))
    left, right = _Block(), _Block()
    for step in steps[:BLOCK]:
        right.add(step, 1, left)
    for gap in range(1, len(steps)):
        right.add(steps[gap - 1], -1, left)
        left.add(steps[gap - 1], 1, right)
        if gap > BLOCK:
            left.add(steps[gap - 1 - BLOCK], -1, right)
        if gap + BLOCK - 1 < len(steps):
            right.add(steps[gap + BLOCK - 1], 1, left)
        similar[gap] = (left.product + right.product) / (sqrt(left.squares * right.squares) or 1.0)
    return similar


class _Block:
    """Counts of the words of a block, the sum of their squares, and its share in the product with the other one."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.squares = self.product = 0

    def add(self, step: Counter[str], sign: int, other: _Block) -> None:
        counts, others = self.counts, other.counts
        for word, number in step.items():
            before, change = counts.get(word, 0), sign * number
            counts[word] = before + change
            self.squares += change * (2 * before + change)
            self.product += change * others.get(word, 0)


def _smoothed(similar: NDArray[np.float64]) -> NDArray[np.float64]:
    """Averages over neighbouring gaps; fewer of them at the ends."""
    width = np.ones(2 * _SMOOTHING + 1)
    inner = similar[1:]
    sums, numbers = np.convolve(inner, width, "same"), np.convolve(np.ones(len(inner)), width, "same")
    return np.concatenate(([0.0], sums / numbers))


def _valleys(similar: NDArray[np.float64]) -> list[int]:
    """The gaps that are deep enough, the deepest first, none within `_SHORTEST` steps of a deeper one or of an end."""
    inner = similar.tolist()
    left, right = _rises(inner[1:]), _rises(inner[:0:-1])[::-1]
    depths = np.array([0.0, *left]) + np.array([0.0, *right]) - 2 * similar
    cutoff = depths[1:].mean() - depths[1:].std() / 2
    chosen: list[int] = []
    for gap in sorted(range(_SHORTEST, len(inner) - _SHORTEST + 1), key=lambda gap: (-depths[gap], gap)):
        lowest = inner[gap] == min(inner[max(1, gap - 1) : gap + 2])
        apart = all(abs(gap - other) >= _SHORTEST for other in chosen)
        if lowest and apart and depths[gap] > max(cutoff, 0.0):
            chosen.append(gap)
    return chosen


def _rises(similar: Sequence[float]) -> list[float]:
    """How high the curve is where it stops to rise on the way to the left of each gap."""
    peaks: list[float] = []
    for place, here in enumerate(similar):
        peaks.append(peaks[-1] if place and similar[place - 1] >= here else here)
    return peaks


def _nearest(starts: Sequence[int], place: int) -> int:
    at = bisect_left(starts, place)
    return min(starts[max(0, at - 1) : at + 1], key=lambda start: abs(start - place), default=place)
