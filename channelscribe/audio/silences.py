"""Silence as ffmpeg's `silencedetect` tells it while the speech track is made: no pass of its own, nothing in memory
but the stretches themselves.
"""

from __future__ import annotations

import re

from channelscribe.audio.timeline import Stretch
from channelscribe.settings.audio import SilenceOptions

__all__ = ["SilenceLog", "detector", "trimmed"]

# https://ffmpeg.org/ffmpeg-filters.html#silencedetect; ffmpeg 5 tells six digits: 0.1 s after ten hours. Only from the
# start of a line: the log also has the source's own tags, indented.
_LINE = re.compile(r"\[(?:Parsed_)?silencedetect\w* @ \w+\] silence_(start|end): (-?[0-9.e+]+)")


def detector(options: SilenceOptions) -> str:
    """The filter, for the mono speech track."""
    return f"silencedetect=noise={options.level_db}dB:duration={options.seconds}"


class SilenceLog:
    """Collects silences from the lines of ffmpeg's log."""

    def __init__(self) -> None:
        self._found: list[Stretch] = []
        self._open: float | None = None

    def clear(self) -> None:
        self._found, self._open = [], None

    def hear(self, line: str) -> None:
        told = _LINE.match(line)
        if told is None:
            return
        second = max(float(told[2]), 0.0)
        if told[1] == "start":
            self._open = second
        elif self._open is not None:
            if second > self._open:
                self._found.append((self._open, second))
            self._open = None

    def stretches(self, seconds: float) -> list[Stretch]:
        """The silences of a track of so many seconds, in order; some ffmpegs do not tell the end of the last."""
        last = [(self._open, seconds)] if self._open is not None and self._open < seconds else []
        return [(start, min(end, seconds)) for start, end in [*self._found, *last] if start < seconds]


def trimmed(stretch: Stretch, silences: list[Stretch], keep: float) -> Stretch:
    """`stretch` without the silence at its ends but `keep` seconds of it; as it was where all of it is silent.

    Ends are whole milliseconds. `keep` also covers what the log rounds.
    """
    start, end = stretch
    slack = 0.05
    head = next((stop for begin, stop in silences if begin <= start + slack and stop > start), start)
    tail = next((begin for begin, stop in reversed(silences) if stop >= end - slack and begin < end), end)
    if head >= tail:
        return stretch
    return max(start, round(head - keep, 3)), min(end, round(tail + keep, 3))
