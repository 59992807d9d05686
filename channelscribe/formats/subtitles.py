"""Reads SubRip and WebVTT subtitles, ours, WhisperX's and others'. Needs nothing.

One reader for both: a line with two times begins a cue, an empty line ends it. WebVTT's markup is taken out
(https://www.w3.org/TR/webvtt1/); a voice span, or the "[NAME]:" that WhisperX writes, is the speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from channelscribe.transcript import Segment

__all__ = ["parse"]

_CLOCK = r"(?:(\d+):)?([0-5]?\d):([0-5]?\d)[.,](\d{1,3})"
_TIMES = re.compile(rf"^\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?$")
_VOICE = re.compile(r"<v(?:\.[^\s>]{0,80})?\s([^>]{1,200})>")
_NAMED = re.compile(r"^\[([^\]\n]{1,80})\]:\s*")
# Only known tags: speech about HTML stays what it is.
_MARKUP = re.compile(r"</?(?:[bcisuv]|lang|ruby|rt|font)(?:[.\s][^<>]{0,200})?>|<[\d:.]{9,14}>")


def parse(text: str) -> list[Segment]:
    """The cues that have text, in the order of the file. Raises ValueError where there is no cue at all."""
    found = [_segment(*cue) for cue in _cues(text)]
    if not found:
        raise ValueError("it has no subtitle with two times")
    return [segment for segment in found if segment.text]


def _cues(text: str) -> Iterator[tuple[float, float, list[str]]]:
    times: tuple[float, float] | None = None
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        begins = _TIMES.match(line)
        if times is not None and (begins or not line.strip()):
            yield *times, lines
            times, lines = None, []
        if begins:
            parts = begins.groups()
            times = _seconds(*parts[:4]), _seconds(*parts[4:])
        elif times is not None:
            lines.append(line)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return round(whole + int(fraction.ljust(3, "0")) / 1000, 3)


def _segment(start: float, end: float, lines: list[str]) -> Segment:
    text = " ".join(" ".join(lines).split())
    voice, named = _VOICE.search(text), _NAMED.match(text)
    speaker = unescape(voice[1]).strip() if voice else named[1] if named else None
    text = unescape(_MARKUP.sub("", text[named.end() :] if named else text)).strip()
    return Segment(start, max(start, end), text, speaker)
