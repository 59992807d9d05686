"""Writes docs/reference/benchmarks.md and the README's three figures from `benchmarks/results/`: `make bench-report`.

`benchmarks/rows.yaml` says what is shown, with the names of figures where numbers go: {audio.wall_ratio:.1f}, with a
format of Python's after the colon; {overlap.same_text:?} is yes or no. A figure that is a text is shown as it is. A
benchmark without a result, or whose result lacks a figure of its rows, was not measured.
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
    "real": "**{real.wer:.1%} of words wrong** on recordings of real people with Whisper base, "
    "{real.wer_over_better_peer:.2f} times as many as the better of WhisperX and faster-whisper; without a token, "
    "a diarization error of {real.telephone_der:.0%} on a telephone call",
    "whisperx": "**{whisperx.short_wall_ratio:.1f} to {whisperx.long_wall_ratio:.1f} times as fast** as WhisperX's "
    "command line, with the same models and {whisperx.same_words:.1%} of the words the same",
    "memory": "**{memory.four_hours_over_one:.2f} times the memory** for four hours of audio as for one; loading and "
    "voice detection alone need {memory.whisperx_four_hours_over_one:.1f} times as much in WhisperX",
}
"""The three figures that the README shows, each with what it is compared with."""
HEAD = "| figure | goal | meaning |\n|---|---|---|\n"
NOT_MEASURED = "Not measured."
SIGNS = {"<=": "≤", ">=": "≥"}

Result = dict[str, Any]
Shown = dict[str, Any]


class MissingFigureError(KeyError):
    """A row wants a figure that the result does not have."""


def table(results: dict[str, Result], benchmarks: list[Shown]) -> str:
    return "\n".join(section(each, results.get(each["name"])) for each in benchmarks)


def section(shown: Shown, result: Result | None) -> str:
    """One benchmark: what it measures, when and on what, and its figures."""
    head = f"### {shown['name']}\n\n{shown['about'][:1].upper()}{shown['about'][1:]}."
    try:
        if result is None:
            raise MissingFigureError(shown["name"])
        rows = [
            f"| {filled(figure, result['figures'])} | {goal_of(figure, result)} | {means} |\n"
            for figure, means in shown["rows"].items()
        ]
    except MissingFigureError:
        return f"{head} {NOT_MEASURED}\n"
    return f"{head} Measured {where(result)}.\n\n{HEAD}{''.join(rows)}"


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


def goal_of(figure: str, result: Result) -> str:
    """What the benchmark wants of it, and whether that was missed; empty where it wants nothing."""
    found = re.search(r"\{([A-Za-z0-9_.-]+)(:\?)?", figure)
    if not found or found[1] not in result["goal"]:
        return ""
    sign, _, number = result["goal"][found[1]].partition(" ")
    value, wanted = result["figures"][found[1]], float(number)
    missed = "" if (value <= wanted if sign == "<=" else value >= wanted) else ", missed"
    if found[2]:
        return f"yes{missed}"
    percent = figure.endswith("%}") and wanted <= 1
    return f"{SIGNS[sign]} {f'{wanted:.0%}' if percent else number}{missed}"


def where(result: Result) -> str:
    """When and on what; `earlier` is what was measured before results were kept, on a machine that is not known."""
    machine = result["machine"]
    cores = f"{machine['cores']} cores" if machine.get("cores") else None
    earlier = "earlier" if result["state"] == "earlier" else None
    return ", ".join(filter(None, (result["date"], cores, machine.get("cpu"), machine.get("gpu"), earlier)))


def results_of(folder: Path = RESULTS) -> dict[str, Result]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def rows_of(file: Path = ROWS) -> list[Shown]:
    found: list[Shown] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def three(results: dict[str, Result]) -> str:
    """The README's list. Raises KeyError where one was not measured: a front page without figures is no front page."""
    lines = (
        f"- {filled(says, results[name]['figures'])} ({where(results[name]).removesuffix(', earlier')}).\n"
        for name, says in HEADLINES.items()
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
