"""Speakers of separate windows of one recording, put together by their voices.

Needs numpy and scipy (pyannote brings it). Leaves nothing behind. Clustering all of a long recording's embeddings at
once takes memory that grows with the square of its length; here each window has been clustered alone, and a
window's speaker is the known one whose voice is nearest, or a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stitcher", "join_turns"]

_FORBIDDEN = 1e6  # farther than any voice
_TOUCHING = 0.05  # seconds between two turns that a window's border has cut

Turn = dict[str, Any]
"""{"start", "end", "speaker"}, in seconds."""
Direction = NDArray[np.float64]
"""A unit vector, or one of zeros where the voice is not known."""


@dataclass
class _Part:
    """A speaker of one window."""

    unit: Direction
    seconds: float
    turns: list[Turn]


@dataclass
class _Voice:
    """A speaker of the recording: those of the windows that are taken for the same."""

    parts: list[_Part] = field(default_factory=list)

    @property
    def unit(self) -> Direction:
        return _unit(sum((part.unit * part.seconds for part in self.parts), np.zeros(1)))

    def farthest(self) -> tuple[float, _Part, _Part] | None:
        """The two parts that resemble each other least, and how far apart they are; None for a single part."""
        pairs = [(_distance(one.unit, other.unit), one, other) for one, other in combinations(self.parts, 2)]
        return max(pairs, key=lambda pair: pair[0], default=None)


class Stitcher:
    """Takes windows one after the other and gives their speakers names that hold for the whole recording.

    `threshold`: distance of two unit vectors from which they are two voices, 0 to 2. `most` and `least`: how many
    speakers there may be at most, and how many there are at least.
    """

    def __init__(self, threshold: float, most: int | None = None, least: int | None = None) -> None:
        self._threshold, self._most, self._least = threshold, most, least
        self._voices: list[_Voice] = []

    def add(self, turns: Sequence[Turn], embeddings: Mapping[str, Sequence[float]]) -> None:
        """A window's turns, in seconds of the recording. Two speakers of one window stay two."""
        parts: dict[str, _Part] = {}
        for turn in turns:
            unit = _unit(embeddings.get(turn["speaker"], [0.0]))
            part = parts.setdefault(turn["speaker"], _Part(unit, 0.0, []))
            part.seconds += turn["end"] - turn["start"]
            part.turns.append(turn)
        longest_first = sorted(parts.values(), key=lambda part: -part.seconds)
        for part, voice in zip(longest_first, self._match([part.unit for part in longest_first]), strict=True):
            voice.parts.append(part)

    def turns(self) -> list[Turn]:
        """All turns, with speakers that hold for the whole recording.

        Where there are fewer than `least`, the voice whose parts differ most is two, until there are enough or
        each part is a speaker of its own.
        """
        while self._least is not None and len(self._voices) < self._least and self._split():
            pass
        return [
            turn | {"speaker": f"voice {number}"}
            for number, voice in enumerate(self._voices)
            for part in voice.parts
            for turn in part.turns
        ]

    def _split(self) -> bool:
        """Makes the voice with the least alike parts two; False where every voice is a single part."""
        pairs = [(pair, voice) for voice in self._voices if (pair := voice.farthest())]
        if not pairs:
            return False
        (_, one, other), voice = max(pairs, key=lambda found: found[0][0])
        nearer = [part for part in voice.parts if _distance(part.unit, other.unit) < _distance(part.unit, one.unit)]
        split = _Voice(nearer or [other])
        voice.parts = [part for part in voice.parts if not any(part is left for left in split.parts)]
        self._voices.append(split)
        return True

    def _match(self, units: Sequence[Direction]) -> list[_Voice]:
        """Which voice each of a window's speakers is; new voices are made for those that are none."""
        from scipy.optimize import linear_sum_assignment

        known = list(self._voices)
        distances = np.full((len(units), len(known)), _FORBIDDEN)
        for j, voice in enumerate(known):
            for i, unit in enumerate(units):
                # a voice without direction had no clean second of speech: it resembles nobody
                if unit.any() and voice.unit.any():
                    distances[i, j] = _distance(unit, voice.unit)
        pairs = zip(*linear_sum_assignment(distances), strict=True)
        found = {int(i): int(j) for i, j in pairs if distances[i, j] < self._threshold}
        chosen: list[_Voice] = []
        for i in range(len(units)):
            left = [j for j in range(len(known)) if j not in found.values()]
            if i not in found and left and self._most is not None and len(self._voices) >= self._most:
                found[i] = min(left, key=lambda j: distances[i, j])
            if i in found:
                chosen.append(known[found[i]])
            else:
                self._voices.append(_Voice())
                chosen.append(self._voices[-1])
        return chosen


def join_turns(turns: Sequence[Turn], borders: Sequence[float]) -> list[Turn]:
    """Joins the two parts of a turn that a border between windows has cut; borders in seconds."""
    joined: list[Turn] = []
    last: dict[str, Turn] = {}
    for turn in sorted(turns, key=lambda turn: (turn["start"], turn["end"])):
        earlier = last.get(turn["speaker"])
        cut = earlier is not None and any(
            abs(earlier["end"] - border) <= _TOUCHING and abs(turn["start"] - border) <= _TOUCHING for border in borders
        )
        if cut and earlier is not None:
            earlier["end"] = turn["end"]
        else:
            joined.append(dict(turn))
            last[turn["speaker"]] = joined[-1]
    return joined


def _distance(one: Direction, other: Direction) -> float:
    return float(np.linalg.norm(one - other))


def _unit(embedding: Sequence[float] | Direction) -> Direction:
    vector = np.asarray(embedding, np.float64)
    length = np.linalg.norm(vector)
    return vector / length if np.isfinite(length) and length > 0 else np.zeros_like(vector)
