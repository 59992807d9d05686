"""Sentences by rule, over a whole text: NLTK's Punkt, then what Punkt does not know.

- The full stops of titles, and those before a small letter, end nothing ("Dr. Bo", "at 5 p.m. we left", 'he said
  "Stop." and left') - unless the text has its sentences begin in small letters.
- Chinese, Japanese, Arabic, Urdu, Devanagari, Armenian, Ethiopic, Burmese and Khmer marks end a sentence, with or
  without a space after them.
- Text without punctuation, as some recognizers write it, is cut at pauses. A sentence that has no mark at its end, or
  has more than `longest` words, is taken for such text. It ends wherever nobody speaks for `pause` seconds or another
  speaker goes on; what is longer still ends at the longest silence between half of `longest` words and all of them,
  if that is 0.1 s or more. Where words have no times nothing is cut.

Needs NLTK; the pauses need the words' times (`channelscribe.text.spans`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from channelscribe.text.abbreviations import TITLES
from channelscribe.text.punkt import sentence_spans
from channelscribe.text.spans import CharTimes
from channelscribe.transcript import Word

__all__ = ["Span", "at_pauses", "sentences_of", "stripped"]

Span = tuple[int, int]
"""Characters [start, end) of a text."""

_CLOSING = "\"'”’»›」』）)】》〉]"
_OTHER_MARKS = "。！？｡؟۔।॥։።။។"
_OTHER_END = re.compile(f"[{_OTHER_MARKS}]+[{re.escape(_CLOSING)}]*")
_MARKS = f".!?…{_OTHER_MARKS}"
_SHORTEST_PAUSE = 0.1  # seconds


def sentences_of(text: str, language: str) -> list[Span]:
    """The sentences of `text` by its marks alone, in order, without the space between them."""
    spans = _joined(text, sentence_spans(text, language), TITLES.get(language, frozenset()))
    if _OTHER_END.search(text):
        spans = [part for span in spans for part in _at_other_marks(text, span)]
    return list(stripped(text, spans))


def at_pauses(text: str, spans: Iterable[Span], times: CharTimes, pause: float, longest: int) -> list[Span]:
    """The same sentences, those without punctuation cut by the rule above. `pause` in seconds."""
    found: list[Span] = []
    for start, end in spans:
        begins, words = times.words(start, end)
        if text.count(" ", start, end) >= longest or not _has_mark(text, start, end):
            starts = [begins[cut] for cut in _cuts(words, pause, longest)]
            found += stripped(text, zip([start, *starts], [*starts, end], strict=True))
        else:
            found.append((start, end))
    return found


def stripped(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The spans without white space at their ends; those of nothing else are left out."""
    for start, end in spans:
        part = text[start:end]
        left = len(part) - len(part.lstrip())
        if left < len(part):
            yield start + left, start + len(part.rstrip())


def _joined(text: str, spans: Sequence[Span], titles: frozenset[str]) -> list[Span]:
    starts = [text[start] for start, end in spans if start < end]
    small_is_usual = 2 * sum(map(str.islower, starts)) > len(starts)
    joined: list[Span] = []
    for start, end in spans:
        if joined and _goes_on(text, joined[-1], start, titles, small_is_usual):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _goes_on(text: str, before: Span, start: int, titles: frozenset[str], small_is_usual: bool) -> bool:
    tail = text[max(before[0], before[1] - 20) : before[1]]
    if tail.endswith(".") and tail.split()[-1].rstrip(".").lstrip("([\"'“‘").casefold() in titles:
        return True
    return not small_is_usual and text[start].islower() and (tail[-1] == "." or tail[-1] in _CLOSING)


def _at_other_marks(text: str, span: Span) -> Iterator[Span]:
    start, end = span
    for mark in _OTHER_END.finditer(text, start, end):
        yield start, mark.end()
        start = mark.end()
    if start < end:
        yield start, end


def _has_mark(text: str, start: int, end: int) -> bool:
    return text[max(start, end - 8) : end].rstrip(_CLOSING)[-1:] in _MARKS


def _cuts(words: Sequence[Word], pause: float, longest: int) -> Iterator[int]:
    """Indexes of the words before which a sentence ends."""
    length = best = to_best = 0  # words since the last end, and up to the best place for the next one
    widest = 0.0
    for index in range(1, len(words)):
        before, word = words[index - 1], words[index]
        length += 1 + before.text.count(" ")  # subtitles have no words: a whole cue stands for them
        gap = word.start - before.end
        if gap >= pause or word.speaker != before.speaker:
            yield index
            length, best, widest = 0, 0, 0.0
            continue
        if length >= max(1, longest // 2) and gap >= _SHORTEST_PAUSE and gap > widest:
            best, to_best, widest = index, length, gap
        if best and length >= longest:
            yield best
            length, best, widest = length - to_best, 0, 0.0
