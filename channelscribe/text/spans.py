"""From characters of a transcript's text to seconds and speakers.

Needs numpy, leaves nothing behind. Times are looked up for columns of spans at once: a talk of ten hours has a hundred
thousand tokens.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

import numpy as np

from channelscribe.transcript import Segment, Transcript, Word

__all__ = ["CharTimes", "Spoken", "char_times"]

_NEAR = 1000  # characters: a word that does not come so soon is not in the text

Spoken = tuple[float, float, str | None]
"""Start and end in seconds, and the speaker."""


class CharTimes:
    """Answers when, and by whom, a stretch of `Transcript.text` is spoken."""

    def __init__(self) -> None:
        self._starts: list[int] = []  # characters
        self._ends: list[int] = []
        self._words: list[Word] = []

    def place(self, start_char: int, end_char: int, word: Word) -> None:
        """Say where the next word stands; words come in the order of the text."""
        self._starts.append(start_char)
        self._ends.append(end_char)
        self._words.append(word)

    def span(self, start_char: int, end_char: int) -> Spoken:
        """(start, end, speaker) of the words that the characters [start_char, end_char) touch.

        Seconds; the speaker of most of these words. Between words the word before answers (the first one at
        the beginning); an empty transcript answers (0.0, 0.0, None).
        """
        return self._spoken(bisect_right(self._ends, start_char), bisect_left(self._starts, end_char))

    def spans(
        self, start_chars: Sequence[int], end_chars: Sequence[int]
    ) -> tuple[list[float], list[float], list[str | None]]:
        """`span` for each pair, as three columns."""
        if not self._words:
            nothing = [0.0] * len(start_chars)
            return nothing, nothing.copy(), [None] * len(start_chars)
        firsts = np.searchsorted(self._ends, start_chars, "right")
        lasts = np.searchsorted(self._starts, end_chars, "left")
        words = [self._words[first] for first in np.minimum(firsts, len(self._words) - 1).tolist()]
        starts, ends = [word.start for word in words], [word.end for word in words]
        speakers = [word.speaker for word in words]
        for odd in np.flatnonzero(lasts - firsts != 1).tolist():  # those that touch no word, or several
            starts[odd], ends[odd], speakers[odd] = self._spoken(int(firsts[odd]), int(lasts[odd]))
        return starts, ends, speakers

    def words(self, start_char: int, end_char: int) -> tuple[Sequence[int], Sequence[Word]]:
        """The words that begin in the characters [start_char, end_char), in order, and where each begins."""
        chosen = slice(bisect_left(self._starts, start_char), bisect_left(self._starts, end_char))
        return self._starts[chosen], self._words[chosen]

    def _spoken(self, first: int, last: int) -> Spoken:
        if not self._words:
            return 0.0, 0.0, None
        words = self._words[first:last] or self._words[max(0, first - 1) :][:1]
        speakers = [word.speaker for word in words]
        speaker = speakers[0]
        if speakers.count(speaker) < len(speakers):
            speaker = Counter(speakers).most_common(1)[0][0]
        return words[0].start, max([word.end for word in words]), speaker


def char_times(transcript: Transcript) -> CharTimes:
    """The map from `transcript.text` to its words; a segment without words counts as one word."""
    times = CharTimes()
    offset = 0  # of the segment in the text, which joins the segments by single spaces
    for segment in transcript.segments:
        text = segment.text.strip()
        if text:
            _place(segment, text, offset, times)
            offset += len(text) + 1
    return times


def _place(segment: Segment, text: str, offset: int, times: CharTimes) -> None:
    position = 0
    for word in segment.words:
        found = text.find(word.text, position, position + len(word.text) + _NEAR) if word.text else -1
        if found < 0:  # not as it stands in the text: its neighbours answer for it
            continue
        position = found + len(word.text)
        times.place(offset + found, offset + position, word)
    if not position:
        whole = Word(text, segment.start, segment.end, speaker=segment.speaker, aligned=False)
        times.place(offset, offset + len(text), whole)
