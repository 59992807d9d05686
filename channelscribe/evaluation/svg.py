"""A small writer of SVG (https://www.w3.org/TR/SVG11/): text, rectangles, and many bars as one path.

Needs nothing, leaves nothing behind. Everything that is written is escaped; characters that XML does not have are
replaced. The picture refers to nothing outside of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

__all__ = ["Bar", "Drawing", "number"]

Bar = tuple[float, float]
"""Left and right, in pixels."""

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
