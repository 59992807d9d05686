"""Times for words that the aligner gave none: interpolated between neighbours, or spread over the segment.

Needs nothing, leaves nothing behind. A word is {"text", "start", "end", "score", "aligned"}, times in
seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from channelscribe.languages import is_without_spaces

__all__ = ["complete_times", "spread", "words_of"]


def words_of(text: str, language: str | None) -> list[str]:
    """The words as WhisperX splits them: at spaces, and into characters for Japanese and Chinese."""
    return list("".join(text.split())) if is_without_spaces(language) else text.split()


def complete_times(words: Sequence[dict[str, Any]], start: float, end: float) -> list[dict[str, Any]]:
    """Gives every word of WhisperX ({"word", and where known "start", "end", "score"}) a time in [start,
    end].

    A word counts as aligned when it has a score: WhisperX copies the times of a neighbour to the others, and
    those copies are dropped here for an even share of the gap. Words come out in order and do not overlap.
    """
    complete: list[dict[str, Any]] = []
    position = start  # where the words so far end
    runs = [(aligned, list(run)) for aligned, run in groupby(words, key=_is_aligned)]
    for index, (aligned, run) in enumerate(runs):
        if not aligned:
            following = float(runs[index + 1][1][0]["start"]) if index + 1 < len(runs) else end
            complete += spread([word["word"] for word in run], position, max(position, min(following, end)))
        for word in run if aligned else ():
            first = min(max(float(word["start"]), position), end)
            last = min(max(float(word["end"]), first), end)
            complete.append(_word(word["word"], first, last, float(word["score"]), aligned=True))
            position = last
        position = complete[-1]["end"]
    return complete


def spread(words: Sequence[str], start: float, end: float) -> list[dict[str, Any]]:
    """Shares [start, end] among the words by their length in characters; none of them is `aligned`."""
    total = sum(len(word) for word in words)
    spread_words, characters = [], 0
    for word in words:
        first = start + (end - start) * characters / total
        characters += len(word)
        last = start + (end - start) * characters / total
        spread_words.append(_word(word, first, last, None, aligned=False))
    return spread_words


def _is_aligned(word: dict[str, Any]) -> bool:
    return all(key in word for key in ("start", "end", "score"))


def _word(text: str, start: float, end: float, score: float | None, *, aligned: bool) -> dict[str, Any]:
    return {"text": text, "start": round(start, 3), "end": round(end, 3), "score": score, "aligned": aligned}
