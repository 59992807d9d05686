"""docs/reasons.md has each reason code, no other, and the state that follows from it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from channelscribe import errors
from channelscribe.catalogue.videos import STATE_AFTER
from channelscribe.errors import ChannelscribeError, Then, stops_run
from channelscribe.settings import Settings
from channelscribe.sources.error_patterns import WORDINGS

ROOT = Path(__file__).parent.parent
DOC = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z_]+)` \| (.+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
NO_VIDEO = "–"
OF_NO_VIDEO = (errors.CatalogueError, errors.LeaseLost)
"""What cannot be written down, or belongs to somebody else's video."""

Kind = type[ChannelscribeError]


@cache
def classes() -> dict[str, Kind]:
    """The error tree, by name."""
    found = {name: getattr(errors, name) for name in errors.__all__}
    return {
        name: each for name, each in found.items() if isinstance(each, type) and issubclass(each, ChannelscribeError)
    }


def narrowed_in_docstrings() -> Iterator[tuple[str, Kind]]:
    """The reasons that docstrings of the tree list."""
    for kind in classes().values():
        listed = re.search(r"Reasons: ([a-z_,\s]+)\.", kind.__doc__ or "")
        yield from ((each.strip(), kind) for each in listed.group(1).split(",")) if listed else ()


def narrowed_in_code() -> Iterator[tuple[str, Kind]]:
    """The reasons that are written where an error is made."""
    for folder in ("channelscribe", "blocks", "tasks", "flows", "deployments"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                kind = classes().get(getattr(call.func, "id", "")) if isinstance(call, ast.Call) else None
                for keyword in call.keywords if isinstance(call, ast.Call) and kind is not None else ():
                    if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant):
                        yield str(keyword.value.value), kind  # type: ignore[misc]


@cache
def reasons() -> dict[str, set[Kind]]:
    """Every reason code, and the classes that carry it."""
    known: dict[str, set[Kind]] = {}
    pairs = [(kind.reason, kind) for kind in classes().values()]
    pairs += [(wording.reason or wording.kind.reason, wording.kind) for wording in WORDINGS]
    for reason, kind in [*pairs, *narrowed_in_docstrings(), *narrowed_in_code()]:
        known.setdefault(reason, set()).add(kind)
    return known


def test_each_reason_is_in_the_doc_and_no_other() -> None:
    documented = [match[1] for match in ROW.finditer(DOC)]
    assert sorted(documented) == sorted(reasons())


@pytest.mark.parametrize("row", list(ROW.finditer(DOC)), ids=lambda row: row[1])
def test_the_state_is_what_follows_from_the_class(row: re.Match[str]) -> None:
    kinds = reasons().get(row[1], set())
    if row[3] == NO_VIDEO:
        assert all(stops_run(kind("")) or issubclass(kind, OF_NO_VIDEO) for kind in kinds)
    else:
        assert not any(stops_run(kind("")) for kind in kinds)
        assert {STATE_AFTER[kind.then].value for kind in kinds} == {row[3].strip("`")}
    once = {kind("", reason=row[1]).counts_at_once for kind in kinds if kind.then is Then.GIVE_UP}
    assert once == ({"if said again" not in row[4]} if once else set()), row[0]


def test_each_row_says_what_is_seen_and_what_to_do() -> None:
    lines = [line for line in DOC.partition("\n## ")[2].splitlines() if line.startswith("| `")]
    assert len(lines) == len(ROW.findall(DOC)) and all(cell.strip() for row in ROW.findall(DOC) for cell in row)


def test_the_settings_that_it_names_are_there() -> None:
    sections = {name: field.default for name, field in Settings.model_fields.items()}
    for section, name in re.findall(r"`([a-z]+)\.([a-z_]+)`", DOC):
        assert name in type(sections[section]).model_fields, f"{section}.{name}"
