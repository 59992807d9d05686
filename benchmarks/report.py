"""How a benchmark ends: a table for people, then one JSON object with its figures and goals."""

from __future__ import annotations

import json
import operator
import os
import platform
import re
from collections.abc import Mapping, Sequence

COMPARE = {"<=": operator.le, ">=": operator.ge}


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def meets(figure: float, goal: str) -> bool:
    """Whether a figure meets a goal such as "<= 1.5"."""
    found = re.fullmatch(r"(<=|>=) ([0-9.]+)", goal)
    if found is None:
        raise ValueError(f"not a goal: {goal!r}")
    return bool(COMPARE[found[1]](figure, float(found[2])))


def print_report(
    name: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    figures: Mapping[str, float],
    goal: Mapping[str, str],
) -> None:
    """Print the table and the JSON line. A benchmark reports, it does not judge: the exit code stays 0."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    print(f"{name}: {machine()}")
    for row in [heads, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    met = all(meets(figures[what], wanted) for what, wanted in goal.items())
    rounded = {what: round(figure, 4) for what, figure in figures.items()}
    print(json.dumps({"name": name, "figures": rounded, "goal": dict(goal), "met": met}))
