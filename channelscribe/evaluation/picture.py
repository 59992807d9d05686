"""A transcript over time as a picture: speech, words, gaps, flags and speakers, in rows of some minutes.

Needs nothing but the transcript; leaves nothing behind. Bars that share a pixel are drawn as one, so the size of a
picture has a bound whatever was said: see `LARGEST`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from channelscribe.evaluation.drawing import Drawing, Kinds, Stretch, bars_of, by_row
from channelscribe.transcript import Transcript, Word

__all__ = ["LARGEST", "ROW_SECONDS", "WIDTH", "picture", "small_picture"]

ROW_SECONDS = 600.0
LARGEST = 70_000  # bytes of a picture that is to be part of something else
_SHORTEST_ROW = 60.0
_FEW_ROWS = 6

WIDTH = 1200
_NARROW = 760  # about what Prefect's UI gives to an image
_LEFT, _RIGHT, _EDGE = 104, 14, 6
_LANE, _GAP = 11, 3  # height of a lane, and between two
_AXIS = 26  # height of the times under a row, with the space to the next
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)  # seconds between ticks
_TICK_WIDTH = 80
_LONGEST_NAME = 15  # characters

_SPEAKER_LANES = 6  # those who speak most; the others share one more

# Colours that people with any colour vision tell apart (Okabe and Ito, "Color Universal Design", 2008).
COLOURS = {
    "speech": "#b9c3cc", "sure": "#009e73", "unsure": "#e69f00", "doubt": "#d55e00", "guess": "#56b4e9",
    "gap": "#c0132c", "flag": "#7b3294",
    "s0": "#0072b2", "s1": "#cc79a7", "s2": "#009e73", "s3": "#e69f00", "s4": "#7b3294", "s5": "#56b4e9",
    "s6": "#888888",
}  # fmt: skip
"""Of each kind of bar."""

_WORDS: tuple[tuple[str, str, Callable[[Word], bool]], ...] = (
    ("sure", "word, score ≥ 0.6", lambda word: word.aligned and (word.score is None or word.score >= 0.6)),
    ("unsure", "0.3 to 0.6", lambda word: word.aligned and word.score is not None and 0.3 <= word.score < 0.6),
    ("doubt", "below 0.3", lambda word: word.aligned and word.score is not None and word.score < 0.3),
    ("guess", "time interpolated", lambda word: not word.aligned),
)

LEGEND = (
    ("speech", "speech found"),
    *((kind, says) for kind, says, _ in _WORDS),
    ("gap", "speech without words"),
    ("flag", "doubted by the quality gate"),
)
"""Kinds that need a word, and the word."""

_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.head{font-size:15px;font-weight:600}.faint{fill:#777}"
    ".tick{fill:#ddd}" + "".join(f".{kind}{{fill:{colour};stroke:{colour}}}" for kind, colour in COLOURS.items())
)


def picture(transcript: Transcript, title: str, row_seconds: float = ROW_SECONDS, width: int = WIDTH) -> str:
    """An SVG document of its own: a row for each `row_seconds`, or one as long as the recording if that is shorter."""
    length = max([transcript.duration, *(segment.end for segment in transcript.segments), 1.0])
    row = min(row_seconds, max(length, _SHORTEST_ROW))
    found = lanes(transcript)
    drawing = Drawing(width, f"{title}: speech, words, gaps and speakers over time")
    rows, top = math.ceil(length / row), _head(drawing, title)
    cut = [by_row(lane.stretches, row, rows) for lane in found]
    for number in range(rows):
        there = [Lane(lane.name, parts[number]) for lane, parts in zip(found, cut, strict=True)]
        top = _row(drawing, there, top, (number * row, min(length, (number + 1) * row)), row)
    return drawing.render(top, _STYLE)


def small_picture(transcript: Transcript, title: str) -> str | None:
    """The same, narrow, in few rows and at most LARGEST bytes; None where even one row is more."""
    rows = _FEW_ROWS
    while rows:
        seconds = max(ROW_SECONDS, math.ceil(transcript.duration / rows / 60) * 60.0)
        made = picture(transcript, title, seconds, _NARROW)
        if len(made.encode()) <= LARGEST:
            return made
        rows //= 2
    return None


def _head(drawing: Drawing, title: str) -> float:
    """Title and legend; returns where they end."""
    longest = drawing.width // 11
    drawing.text(_EDGE, 20, title if len(title) <= longest else title[: longest - 1] + "…", "head")
    x, y = float(_EDGE), 30
    for kind, says in LEGEND:
        wide = 32 + 6.2 * len(says)
        if x + wide > drawing.width:
            x, y = float(_EDGE), y + 17
        drawing.rectangle(x, y, 10, 10, kind)
        drawing.text(x + 15, y + 9, says, "faint")
        x += wide
    return y + 24


def _row(drawing: Drawing, lanes: Sequence[Lane], top: float, part: Stretch, seconds: float) -> float:
    """The stretch `part` of the recording, on a scale on which the whole width is `seconds`; returns where it ends."""
    wide = drawing.width - _LEFT - _RIGHT
    scale = wide / seconds
    bottom = top + len(lanes) * (_LANE + _GAP)
    for tick in _ticks(part, seconds, wide // _TICK_WIDTH):
        x = _LEFT + (tick - part[0]) * scale
        drawing.rectangle(x, top, 0.5, bottom - top, "tick")
        drawing.text(x + 2, bottom + 10, _clock(tick), "faint")
    for place, lane in enumerate(lanes):
        y = top + place * (_LANE + _GAP)
        drawing.text(_EDGE, y + _LANE - 2, lane.name[:_LONGEST_NAME], "faint")
        for kind, bars in bars_of(lane.stretches, part, scale):
            drawing.bars([(_LEFT + left, _LEFT + right) for left, right in bars], y, _LANE, kind)
    return bottom + _AXIS


def _ticks(part: Stretch, seconds: float, most: int) -> list[int]:
    step = next((step for step in _STEPS if seconds / step <= most), _STEPS[-1])
    ends = min(part[1], part[0] + seconds - step / 4)  # a time needs room beside its tick
    return list(range(math.ceil(part[0] / step) * step, math.floor(ends) + 1, step))


def _clock(seconds: int) -> str:
    """65 to 1:05; 3700 to 1:01:40."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


@dataclass(frozen=True)
class Lane:
    """A name, and stretches of one kind or several: keys of COLOURS."""

    name: str
    stretches: Kinds


def lanes(transcript: Transcript) -> list[Lane]:
    """Speech and gaps as the stages found them; transcripts of earlier versions do not tell, and have no such bars."""
    quality = transcript.quality
    words = [(kind, [(w.start, w.end) for w in transcript.words if fits(w)]) for kind, _, fits in _WORDS]
    flagged = [(segment.start, segment.end) for segment in transcript.segments if segment.flags]
    gaps = [*_told(quality.get("gaps")), *_told(quality.get("unheard"))]
    fixed = [
        Lane("speech", [("speech", _told(quality.get("speech")))]),
        Lane("words", words),
        Lane("no words", [("gap", gaps)]),
        Lane("flagged", [("flag", flagged)]),
    ]
    return fixed + _speakers(transcript)


def _speakers(transcript: Transcript) -> list[Lane]:
    """A lane for each of those who speak most, in the order of their names, and one for the others together."""
    turns: dict[str, list[Stretch]] = {}
    for turn in transcript.turns:
        turns.setdefault(turn.speaker, []).append((turn.start, turn.end))
    most = sorted(turns, key=lambda name: sum(end - start for start, end in turns[name]), reverse=True)
    shown, others = sorted(most[:_SPEAKER_LANES]), most[_SPEAKER_LANES:]
    lanes = [Lane(name, [(f"s{place}", turns[name])]) for place, name in enumerate(shown)]
    if others:
        lanes.append(
            Lane(f"{len(others)} others", [(f"s{_SPEAKER_LANES}", [turn for o in others for turn in turns[o]])])
        )
    return lanes


def _told(found: Any) -> list[Stretch]:
    return [(float(start), float(end)) for start, end in found or []]
