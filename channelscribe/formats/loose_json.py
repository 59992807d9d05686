"""Reads transcripts in JSON: ours, as files and as records, and WhisperX's own. Needs nothing.

WhisperX leaves the times of words out that it could not align; such words share the time that is left between their
neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

from channelscribe.transcript import Segment, Transcript, Word

__all__ = ["parse"]


def parse(text: str, language: str) -> Transcript:
    """The transcript, in `language` where it does not say its own. Raises ValueError for anything else."""
    document = json.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("segments"), list):
        raise ValueError('it has no list "segments"')
    try:
        segments = [_segment(item) for item in document["segments"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a segment is not as it should be ({error!r})") from error
    said = document.get("language")
    end = max((segment.end for segment in segments), default=0.0)
    return Transcript(said if isinstance(said, str) and said else language, end, segments)


def _segment(item: dict[str, Any]) -> Segment:
    start, end = _seconds(item["start"]), _seconds(item["end"])
    speaker = item.get("speaker")
    words = _words(item.get("words") or [], start, end, speaker)
    return Segment(start, max(start, end), str(item["text"]), speaker, words=words)


def _words(items: Sequence[dict[str, Any]], start: float, end: float, speaker: str | None) -> list[Word]:
    words: list[Word] = []
    for item, (place, until) in zip(items, _next_times(items, end), strict=True):
        text = str(item["word"] if "word" in item else item["text"])
        said = item.get("speaker", speaker)
        if _is_timed(item):
            first, last = _seconds(item["start"]), _seconds(item["end"])
            words.append(Word(text, first, max(first, last), item.get("score"), said, bool(item.get("aligned", True))))
        else:
            since = words[-1].end if words else start
            share = max(0.0, until - since) / (place - len(words))
            words.append(Word(text, since, round(since + share, 3), None, said, aligned=False))
    return words


def _next_times(items: Sequence[dict[str, Any]], end: float) -> list[tuple[int, float]]:
    """For each word the place and start of the next one that has times; the end of the segment after the last."""
    found: list[tuple[int, float]] = []
    following = (len(items), end)
    for place in reversed(range(len(items))):
        found.append(following)
        if _is_timed(items[place]):
            following = (place, _seconds(items[place]["start"]))
    return found[::-1]


def _is_timed(item: dict[str, Any]) -> bool:
    return item.get("start") is not None and item.get("end") is not None


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not isfinite(seconds) or seconds < 0:
        raise ValueError(f"{value!r} is no time")
    return seconds
