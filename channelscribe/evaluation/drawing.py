"""A small writer of SVG (https://www.w3.org/TR/SVG11/): text, rectangles, and stretches of time as bars, cut into rows,
on a grid of half pixels, those that touch joined, all in one path.

Needs nothing, leaves nothing behind. Everything that is written is escaped; characters that XML does not have are
replaced. The picture refers to nothing outside of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

__all__ = ["Bar", "Drawing", "Kinds", "Stretch", "bars_of", "by_row", "number"]

Bar = tuple[float, float]
"""Left and right, in pixels from the left end of the row."""

Stretch = tuple[float, float]
"""Start and end, in seconds."""

Kinds = Sequence[tuple[str, Sequence[Stretch]]]
"""Stretches by what they are."""

# https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Drawing:
    """A picture of `width` pixels that grows downwards; `render` tells its height."""

    def __init__(self, width: int, title: str) -> None:
        self.width, self._title = width, title
        self._parts: list[str] = []

    def text(self, x: float, y: float, said: str, kind: str = "") -> None:
        """`said` with its baseline at `y`; `kind` is a class of the style sheet."""
        self._parts.append(f'<text x="{number(x)}" y="{number(y)}"{_kind(kind)}>{_clean(said)}</text>')

    def rectangle(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
        self._parts.append(f"<rect {place}{_kind(kind)}/>")

    def bars(self, bars: Iterable[Bar], y: float, height: float, kind: str) -> None:
        """All in one path, as thick lines: a talk has thousands of words, and ten bytes for each are enough."""
        middle = number(y + height / 2)
        drawn = "".join(f"M{number(left)} {middle}h{number(right - left)}" for left, right in bars)
        if drawn:
            self._parts.append(f'<path d="{drawn}" stroke-width="{number(height)}"{_kind(kind)}/>')

    def render(self, height: float, style: str) -> str:
        """The document. `style` is CSS of ours, without anything from outside."""
        size = f'width="{self.width}" height="{number(height)}" viewBox="0 0 {self.width} {number(height)}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(_plain(self._title))}>\n'
            f"<title>{_clean(self._title)}</title>\n<style>{style}</style>\n"
            f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(self._parts) + "\n</svg>\n"
        )


def number(value: float) -> str:
    """With at most one decimal: 12, 12.5."""
    return f"{value:.1f}".removesuffix(".0")


def _kind(kind: str) -> str:
    return f" class={quoteattr(kind)}" if kind else ""


def _plain(text: str) -> str:
    return " ".join(_NOT_XML.sub("\ufffd", text).split())


def _clean(text: str) -> str:
    return escape(_plain(text))


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
