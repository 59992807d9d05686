"""Segments as subtitle cues: whole milliseconds, in order, none empty and none overlapping the next.

Needs nothing, leaves nothing behind.
"""

from __future__ import annotations

from dataclasses import dataclass

from channelscribe.transcript import Transcript

__all__ = ["Cue", "clock", "cues", "milliseconds"]


@dataclass(frozen=True, slots=True)
class Cue:
    """`start` and `end` in milliseconds; `text` on one line."""

    start: int
    end: int
    speaker: str | None
    text: str


def cues(transcript: Transcript) -> list[Cue]:
    """One cue for each segment with text. A cue ends where the next begins, if it would end later."""
    segments = sorted((s for s in transcript.segments if s.text.strip()), key=lambda s: (s.start, s.end))
    starts: list[int] = []
    for segment in segments:
        earliest = starts[-1] + 1 if starts else 0
        starts.append(max(milliseconds(segment.start), earliest))
    made = []
    for segment, start, following in zip(segments, starts, [*starts, None][1:], strict=True):
        end = max(milliseconds(segment.end), start + 1)
        text = " ".join(segment.text.split())
        made.append(Cue(start, end if following is None else min(end, following), segment.speaker, text))
    return made


def clock(milliseconds: int, decimal_mark: str) -> str:
    """hh:mm:ss and three decimals; hours take as many digits as they need."""
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal_mark}{thousandths:03d}"


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, none before 0."""
    return max(0, round(seconds * 1000))
