"""How a stage tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "share"]

Progress = Callable[[float], None]
"""Called with the share of the stage that is done, 0 to 1."""


def share(report: Progress, start: float, end: float) -> Progress:
    """Reports a part of a stage as the stretch from `start` to `end` of the whole."""
    return lambda done: report(start + (end - start) * done)
