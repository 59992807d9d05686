"""Passages: what is searched by meaning. About half a minute each, cut where a sentence or a speaker ends.

Needs nothing. A passage begins with the last sentence of the one before, so that what is said over a cut is whole in
one of them. What the quality gate takes for nobody's words is in none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from channelscribe.export.readable import LEFT_OUT
from channelscribe.languages import is_without_spaces
from channelscribe.transcript import Transcript

__all__ = ["SECONDS", "Passage", "passages"]

SECONDS = 30.0
"""A passage ends before the sentence that would make it longer."""
ENOUGH = SECONDS / 2
"""From so many seconds on it ends where another speaker begins."""
PAUSE = 8.0
"""Seconds of silence that no passage goes over, and no overlap."""
OVERLAP = SECONDS / 3
"""A longer last sentence is not said again."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Sentences in a row, from `start` to `end` seconds, within the segments `first` to `last`."""

    start: float
    end: float
    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: float
    end: float
    first: int
    last: int
    text: str
    speaker: str | None


def passages(transcript: Transcript, sentences: Sequence[Mapping[str, Any]]) -> list[Passage]:
    """The passages of a transcript, in order; `sentences` are a reading's, or none: segments are taken for them."""
    joint = "" if is_without_spaces(transcript.language) else " "
    found = _of_reading(transcript, sentences) if sentences else _of_segments(transcript)
    return [
        Passage(
            run[0].start, max(each.end for each in run), run[0].first, run[-1].last, joint.join(s.text for s in run)
        )
        for run in _runs(found)
    ]


def _runs(sentences: Iterable[_Sentence]) -> Iterator[list[_Sentence]]:
    run: list[_Sentence] = []
    overlap = 0
    for sentence in sentences:
        if run and _ends(run, sentence):
            yield run
            last = run[-1]
            goes_on = sentence.start - last.end < PAUSE and last.end - last.start <= OVERLAP
            run = [last] if goes_on and len(run) > overlap else []
            overlap = len(run)
        run.append(sentence)
    if len(run) > overlap:
        yield run


def _ends(run: Sequence[_Sentence], following: _Sentence) -> bool:
    if following.end - run[0].start > SECONDS or following.start - run[-1].end >= PAUSE:
        return True
    return following.speaker != run[-1].speaker and run[-1].end - run[0].start >= ENOUGH


def _of_reading(transcript: Transcript, sentences: Sequence[Mapping[str, Any]]) -> Iterator[_Sentence]:
    starts, indexes, position = [], [], 0
    for index, segment in enumerate(transcript.segments):
        if text := segment.text.strip():
            starts.append(position)
            indexes.append(index)
            position += len(text) + 1
    for item in sentences:
        if not starts or item.get("start") is None:
            continue
        first = indexes[max(0, bisect_right(starts, item["start_char"]) - 1)]
        last = indexes[max(0, bisect_right(starts, max(item["start_char"], item["end_char"] - 1)) - 1)]
        if all(LEFT_OUT.isdisjoint(each.flags) for each in transcript.segments[first : last + 1]):
            yield _Sentence(item["start"], item["end"], first, last, item["text"], item.get("speaker"))


def _of_segments(transcript: Transcript) -> Iterator[_Sentence]:
    for index, each in enumerate(transcript.segments):
        if each.text.strip() and LEFT_OUT.isdisjoint(each.flags):
            yield _Sentence(each.start, each.end, index, index, each.text.strip(), each.speaker)
