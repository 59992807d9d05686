"""Stretches of time as bars of a picture: cut into rows, on a grid of half pixels, those that touch joined.

Needs nothing, leaves nothing behind. Positions are pixels from the left end of the row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from channelscribe.evaluation.svg import Bar

__all__ = ["Kinds", "Stretch", "bars_of", "by_row"]

Stretch = tuple[float, float]
"""Start and end, in seconds."""

Kinds = Sequence[tuple[str, Sequence[Stretch]]]
"""Stretches by what they are."""


def by_row(kinds: Kinds, seconds: float, rows: int) -> list[Kinds]:
    """For each row of `seconds` what lies in it, whole; what reaches over a border is in both."""
    found: list[dict[str, list[Stretch]]] = [{kind: [] for kind, _ in kinds} for _ in range(rows)]
    for kind, stretches in kinds:
        for start, end in stretches:
            first = int(start // seconds)
            for row in range(max(0, first), min(rows, max(first + 1, math.ceil(end / seconds)))):
                found[row][kind].append((start, end))
    return [list(row.items()) for row in found]


def bars_of(kinds: Kinds, part: Stretch, scale: float) -> list[tuple[str, list[Bar]]]:
    """Bars of what lies in `part`, at `scale` pixels a second. Of several kinds each place shows the one it has most
    of, so that rare ones do not cover the others.
    """
    clipped = [(kind, [_clipped(each, part, scale) for each in stretches]) for kind, stretches in kinds]
    return _most(clipped) if len(kinds) > 1 else [(kind, _joined(bars)) for kind, bars in clipped]


def _clipped(stretch: Stretch, part: Stretch, scale: float) -> Bar:
    start, end = (max(part[0], min(second, part[1])) for second in stretch)
    return (start - part[0]) * scale, (end - part[0]) * scale


def _joined(bars: Iterable[Bar]) -> list[Bar]:
    """None is narrower than a pixel: a short one is to be seen."""
    found: list[Bar] = []
    for start, end in sorted(bars):
        left = round(start * 2) / 2
        right = max(left + 1, round(end * 2) / 2)
        if found and left <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], right))
        else:
            found.append((left, right))
    return found


def _most(kinds: Iterable[tuple[str, Iterable[Bar]]]) -> list[tuple[str, list[Bar]]]:
    columns: dict[int, dict[str, float]] = {}
    bars: dict[str, list[Bar]] = {}
    for kind, found in kinds:
        bars[kind] = []
        for start, end in found:
            left, right = start * 2, end * 2
            for column in range(int(left), max(int(left) + 1, math.ceil(right))):
                shares = columns.setdefault(column, {})
                shares[kind] = shares.get(kind, 0.0) + min(right, column + 1) - max(left, column)
    last: tuple[str, int] | None = None
    for column in sorted(columns):
        kind = max(columns[column], key=lambda name: columns[column][name])
        left = bars[kind].pop()[0] if last == (kind, column - 1) else column / 2
        bars[kind].append((left, (column + 1) / 2))
        last = (kind, column)
    return list(bars.items())
