"""Which second of the original each second of a made file is.

A `Timeline` is the list of the original's stretches that a file holds, one after the other. Trimming and splitting make
one stretch; joined parts have more. It is immutable, composable and small JSON, and travels with the file.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

__all__ = ["Stretch", "Timeline"]

Stretch = tuple[float, float]
"""(start, end) in seconds, start < end."""


@dataclass(frozen=True)
class Timeline:
    """`kept`: stretches of the original in seconds, in the order of the file; `original_seconds`: how long that is.

    Raises ValueError where a stretch is empty, overlaps the one before it or leaves the original.
    """

    original_seconds: float
    kept: tuple[Stretch, ...]

    def __post_init__(self) -> None:
        last = 0.0
        for start, end in self.kept:
            if not last <= start < end <= self.original_seconds:
                raise ValueError(f"{self.kept} are no stretches of {self.original_seconds} s, one after the other")
            last = end

    @classmethod
    def whole(cls, seconds: float) -> Timeline:
        """A file that holds all of the original."""
        return cls(seconds, ((0.0, seconds),) if seconds > 0 else ())

    @property
    def is_whole(self) -> bool:
        return self == Timeline.whole(self.original_seconds)

    @property
    def seconds(self) -> float:
        """The length of the file."""
        return self._ends[-1] if self._ends else 0.0

    @cached_property
    def _ends(self) -> list[float]:
        """Where each stretch ends in the file."""
        return list(accumulate(end - start for start, end in self.kept))

    @cached_property
    def _starts(self) -> list[float]:
        return [0.0, *self._ends[:-1]]

    def to_original(self, second: float, *, ends: bool = False) -> float:
        """The original second of the file's `second`; seconds outside the file count as its start or end.

        Where two stretches meet, a second is the start of the later one; with `ends`, as for the end of a word,
        the end of the earlier one.
        """
        if not self.kept:
            return 0.0
        second = min(max(second, 0.0), self.seconds)
        find = bisect_left if ends else bisect_right
        index = min(find(self._ends, second), len(self.kept) - 1)
        start, end = self.kept[index]
        return min(start + (second - self._starts[index]), end)

    def to_output(self, original: float) -> float | None:
        """The file's second of an original one; None where it was cut away."""
        index = bisect_right(self.kept, (original, float("inf"))) - 1
        if index < 0 or original > self.kept[index][1]:
            return None
        return min(self._starts[index] + (original - self.kept[index][0]), self.seconds)

    def then(self, later: Timeline) -> Timeline:
        """This file cut again: `later` speaks of this file's seconds, the answer of the original's."""
        stretches = [stretch for cut in later.kept for stretch in self._originals(*cut)]
        return Timeline(self.original_seconds, tuple(_joined(stretches)))

    def _originals(self, start: float, end: float) -> Iterable[Stretch]:
        """The original's stretches under the file's seconds from `start` to `end`."""
        for (first, _), begins, stops in zip(self.kept, self._starts, self._ends, strict=True):
            low, high = max(start, begins), min(end, stops)
            if low < high:
                yield first + (low - begins), min(first + (high - begins), first + (stops - begins))

    def to_json(self) -> dict[str, Any]:
        return {"original_seconds": self.original_seconds, "kept": [list(stretch) for stretch in self.kept]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Timeline:
        """Raises ValueError, KeyError or TypeError for what `to_json` did not make."""
        kept = tuple((float(start), float(end)) for start, end in data["kept"])
        return cls(float(data["original_seconds"]), kept)


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Neighbours that touch become one; a later one never starts before the earlier ends (rounding)."""
    joined: list[Stretch] = []
    for start, end in stretches:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif start < end:
            joined.append((start, end))
    return joined
