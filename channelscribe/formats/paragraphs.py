"""Reads plain text: our own txt with its times and speakers, WhisperX's, or any other. Needs nothing.

Text without times has none to give: all its times are 0.
"""

from __future__ import annotations

import re
from itertools import pairwise

from channelscribe.transcript import Segment

__all__ = ["parse"]

_STAMPED = re.compile(r"^\[(\d+):([0-5]\d):([0-5]\d)\] (?:([^\s:]{1,80}): )?(.+)$", re.MULTILINE)
_NAMED = re.compile(r"^\[([^\]\n]{1,80})\]:\s*(.*)$")
_SECONDS_A_CHARACTER = 1 / 15  # of the last paragraph, whose end is not written; speech has 12 to 18


def parse(text: str) -> list[Segment]:
    """Paragraphs, or lines that have text. What stands before the first time (title, address) is left out."""
    stamped = [_stamped(*found.groups()) for found in _STAMPED.finditer(text)]
    for segment, following in pairwise(stamped):
        segment.end = max(segment.start, following.start)
    if stamped:
        return stamped
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [_line(line) for line in lines if line]


def _stamped(hours: str, minutes: str, seconds: str, speaker: str | None, text: str) -> Segment:
    start = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return Segment(float(start), start + round(len(text) * _SECONDS_A_CHARACTER, 3), " ".join(text.split()), speaker)


def _line(line: str) -> Segment:
    named = _NAMED.match(line)
    return Segment(0.0, 0.0, named[2], named[1]) if named else Segment(0.0, 0.0, line)
