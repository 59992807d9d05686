"""Writes docs/reference/benchmarks.md and the README's three figures from `benchmarks/results/`: `make bench-report`.

`benchmarks/rows.yaml` says what a row says, with the names of figures where numbers go: {audio.wall_ratio:.1f}, with a
format of Python's after the colon; {overlap.same_text:?} is yes or no. A figure that is a text is shown as it is. A
benchmark without a result, or whose result lacks a figure of its row, was not measured.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from benchmarks.keep import RESULTS

README = Path(__file__).parent.parent / "README.md"
PAGE = README.parent / "docs" / "reference" / "benchmarks.md"
ROWS = Path(__file__).parent / "rows.yaml"
BEGIN, END = "<!-- from benchmarks/results, by make bench-report -->\n", "<!-- end -->\n"
THREE_BEGIN = "<!-- three figures, by make bench-report -->\n"
HEADLINES = {
    "whisperx": "**{whisperx.short_wall_ratio:.1f} to {whisperx.long_wall_ratio:.1f} times as fast** as WhisperX's "
    "command line, with the same models and {whisperx.same_words:.1%} of the words the same",
    "memory": "**{memory.four_hours_over_one:.2f} times the memory** for four hours of audio as for one; loading and "
    "voice detection alone need {memory.whisperx_four_hours_over_one:.1f} times as much in WhisperX",
    "search": "**{search.over_sequential:.0f} times as fast** as a scan: a search over a million segments",
}
"""The three figures that the README shows, each with what it is compared with."""
HEAD = "| benchmark | figure | goal | measured |\n|---|---|---|---|\n"
NOT_MEASURED = "not measured"
SIGNS = {"<=": "≤", ">=": "≥"}

Result = dict[str, Any]


class MissingFigureError(KeyError):
    """A row wants a figure that the result does not have."""


def table(results: dict[str, Result], rows: list[dict[str, str]]) -> str:
    return HEAD + "".join(row_of(row, results.get(row["name"])) for row in rows)


def row_of(row: dict[str, str], result: Result | None) -> str:
    name = f"`{row['name']}`" + (f" ({row['what']})" if "what" in row else "")
    if result is None:
        return f"| {name} | {NOT_MEASURED} | | |\n"
    try:
        said = filled(row["says"], result["figures"])
    except MissingFigureError:
        return f"| {name} | {NOT_MEASURED} | | |\n"
    return f"| {name} | {said} | {goals(row['says'], result['goal'])} | {where(result)} |\n"


def filled(text: str, figures: dict[str, Any]) -> str:
    """The text with its figures. Raises MissingFigureError."""

    def figure(found: re.Match[str]) -> str:
        name, form = found.groups()
        if name not in figures:
            raise MissingFigureError(name)
        value = figures[name]
        if isinstance(value, str):
            return value
        return ("yes" if value else "no") if form == "?" else format(value, form or "")

    return re.sub(r"\{([A-Za-z0-9_.-]+)(?::([^}]*))?\}", figure, " ".join(text.split()))


def goals(says: str, goal: dict[str, str]) -> str:
    """In the order of the row's figures, and then those that are not in it."""
    shown = []
    for name in sorted(goal, key=lambda name: (f"{{{name}" not in says, says.find(f"{{{name}"))):
        sign, _, number = goal[name].partition(" ")
        shown.append("yes" if f"{{{name}:?}}" in says else f"{SIGNS[sign]} {number}")
    return "; ".join(shown)


def where(result: Result) -> str:
    """When and on what; `earlier` is what was measured before results were kept, on a machine that is not known."""
    machine = result["machine"]
    cores = f"{machine['cores']} cores" if machine.get("cores") else None
    earlier = "earlier" if result["state"] == "earlier" else None
    return ", ".join(filter(None, (result["date"], cores, machine.get("cpu"), machine.get("gpu"), earlier)))


def results_of(folder: Path = RESULTS) -> dict[str, Result]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def rows_of(file: Path = ROWS) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def three(results: dict[str, Result]) -> str:
    """The README's list. Raises KeyError where one was not measured: a front page without figures is no front page."""
    lines = (
        f"- {filled(says, results[name]['figures'])} ({where(results[name])}).\n" for name, says in HEADLINES.items()
    )
    return "".join(lines)


def rewritten(page: str, made: str, begin: str = BEGIN) -> str:
    """The page with another table, or list. Raises ValueError where its place is not marked."""
    before, mark, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"The page has no place for it: {begin.strip()} … {END.strip()}")
    return f"{before}{begin}\n{made}\n{END}{after}"


def pages() -> dict[Path, str]:
    """Each file that repeats figures, as it should be."""
    results = results_of()
    return {
        PAGE: rewritten(PAGE.read_text(encoding="utf-8"), table(results, rows_of())),
        README: rewritten(README.read_text(encoding="utf-8"), three(results), THREE_BEGIN),
    }


def main() -> None:
    for path, written in pages().items():
        path.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
