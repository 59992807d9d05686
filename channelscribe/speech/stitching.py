"""Speakers of separate windows of one recording, put together by their voices.

Needs numpy and scipy (pyannote brings it). Leaves nothing behind. Clustering all of a long recording's embeddings at
once takes memory that grows with the square of its length; here each window has been clustered alone, and a
window's speaker is the known one whose voice is nearest, or a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stitcher", "join_turns"]

_FORBIDDEN = 1e6  # farther than any voice
_TOUCHING = 0.05  # seconds between two turns that a window's border has cut

Turn = dict[str, Any]
"""{"start", "end", "speaker"}, in seconds."""


@dataclass
class _Voice:
    direction: NDArray[np.float64]  # sum of unit vectors, each as long as its speaker spoke
    seconds: float

    @property
    def unit(self) -> NDArray[np.float64]:
        length = float(np.linalg.norm(self.direction))
        return self.direction / length if length else self.direction


class Stitcher:
    """Takes windows one after the other and gives their speakers names that hold for the whole recording.

    `threshold`: distance of two unit vectors from which they are two voices, 0 to 2. `most`: how many speakers
    there may be at most.
    """

    def __init__(self, threshold: float, most: int | None = None) -> None:
        self._threshold, self._most = threshold, most
        self._voices: list[_Voice] = []

    def add(self, turns: Sequence[Turn], embeddings: Mapping[str, Sequence[float]]) -> list[Turn]:
        """The window's turns with speakers renamed. Two speakers of one window stay two."""
        seconds: dict[str, float] = {}
        for turn in turns:
            seconds[turn["speaker"]] = seconds.get(turn["speaker"], 0.0) + turn["end"] - turn["start"]
        names = sorted(seconds, key=lambda name: -seconds[name])
        units = [_unit(embeddings.get(name)) for name in names]
        chosen = self._match(units)
        for name, unit, voice in zip(names, units, chosen, strict=True):
            self._voices[voice].direction = self._voices[voice].direction + unit * seconds[name]
            self._voices[voice].seconds += seconds[name]
        known = dict(zip(names, chosen, strict=True))
        return [turn | {"speaker": f"voice {known[turn['speaker']]}"} for turn in turns]

    def _match(self, units: Sequence[NDArray[np.float64]]) -> list[int]:
        """Which voice each of a window's speakers is; new voices are made for those that are none."""
        from scipy.optimize import linear_sum_assignment

        before = len(self._voices)
        distances = np.full((len(units), before), _FORBIDDEN)
        for i, unit in enumerate(units):
            for j, voice in enumerate(self._voices):
                # a voice without direction had no clean second of speech: it resembles nobody
                if unit.any() and voice.unit.any():
                    distances[i, j] = float(np.linalg.norm(unit - voice.unit))
        pairs = zip(*linear_sum_assignment(distances), strict=True)
        found = {int(i): int(j) for i, j in pairs if distances[i, j] < self._threshold}
        for i, unit in enumerate(units):
            if i in found:
                continue
            left = [j for j in range(before) if j not in found.values()]
            if left and self._most is not None and len(self._voices) >= self._most:
                found[i] = min(left, key=lambda j: distances[i, j])
            else:
                self._voices.append(_Voice(np.zeros_like(unit), 0.0))
                found[i] = len(self._voices) - 1
        return [found[i] for i in range(len(units))]


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


def _unit(embedding: Sequence[float] | None) -> NDArray[np.float64]:
    vector = np.asarray(embedding if embedding is not None else [0.0], np.float64)
    length = np.linalg.norm(vector)
    return vector / length if np.isfinite(length) and length > 0 else np.zeros_like(vector)
