"""From characters of a transcript's text to seconds and speakers.

Needs nothing, leaves nothing behind.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass

from channelscribe.transcript import Segment, Transcript, Word

__all__ = ["CharTimes", "char_times"]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A word and where it stands in the text."""

    start_char: int
    end_char: int
    word: Word


class CharTimes:
    """Answers when, and by whom, a stretch of `Transcript.text` is spoken."""

    def __init__(self, placed: list[_Placed]) -> None:
        self._placed = placed
        self._starts = [each.start_char for each in placed]
        self._ends = [each.end_char for each in placed]

    def span(self, start_char: int, end_char: int) -> tuple[float, float, str | None]:
        """(start, end, speaker) of the words that the characters [start_char, end_char) touch.

        Seconds; the speaker of most of these words. Between words the word before answers (the first one at
        the beginning); an empty transcript answers (0.0, 0.0, None).
        """
        if not self._placed:
            return 0.0, 0.0, None
        first, last = bisect_right(self._ends, start_char), bisect_left(self._starts, end_char)
        touched = self._placed[first:last] or self._placed[max(0, first - 1) :][:1]
        words = [each.word for each in touched]
        speaker = Counter(word.speaker for word in words).most_common(1)[0][0]
        return words[0].start, max(word.end for word in words), speaker


def char_times(transcript: Transcript) -> CharTimes:
    """The map from `transcript.text` to its words; a segment without words counts as one word."""
    placed: list[_Placed] = []
    offset = 0  # of the segment in the text, which joins the segments by single spaces
    for segment in transcript.segments:
        text = segment.text.strip()
        if text:
            placed += _place(segment, text, offset)
            offset += len(text) + 1
    return CharTimes(placed)


def _place(segment: Segment, text: str, offset: int) -> list[_Placed]:
    placed: list[_Placed] = []
    position = 0
    for word in segment.words:
        found = text.find(word.text, position) if word.text else -1
        if found < 0:  # not as it stands in the text: its neighbours answer for it
            continue
        position = found + len(word.text)
        placed.append(_Placed(offset + found, offset + position, word))
    whole = Word(text, segment.start, segment.end, speaker=segment.speaker, aligned=False)
    return placed or [_Placed(offset, offset + len(text), whole)]
