"""What a person reads while a sync runs: how many of how many, whole titles in a file."""

from __future__ import annotations

from typing import Any, cast

import pytest

from channelscribe.catalogue.stats import Activity
from flows.display import Display


class Looks:
    """Stands for the catalogue: each look finds the next of these."""

    def __init__(self, *looks: list[Activity]) -> None:
        self.looks = list(looks)

    def read(self, *_: Any) -> list[Activity]:
        return self.looks.pop(0)


def activity(pk: int, step: str | None, state: str = "discovered", *, in_work: bool = True) -> Activity:
    return Activity(pk, f"v{pk}", f"A title {'so long ' * 20}{pk}", state, step, None, None, None, None, in_work)


def told(capsys: pytest.CaptureFixture[str], expected: int | None) -> list[str]:
    ends = [activity(pk, None, "published", in_work=False) for pk in range(3)]
    looks = Looks([activity(pk, "download") for pk in range(3)], [ends[0], activity(1, "read")], ends)
    display = Display(cast(Any, looks), expected)
    for _ in range(3):
        display._look()
    return [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]


def test_progress_is_how_many_of_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, 10)
    assert [line.partition(" A title")[0] for line in lines if line.endswith(": done")] == [
        "1 of 10", "2 of 10", "3 of 10"
    ]  # fmt: skip
    assert all("so long so long" in line and "…" not in line for line in lines)  # no terminal: whole titles
    assert lines[0].endswith(": downloading")


def test_nothing_is_made_up_where_nobody_knows_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert not any(" of " in line.partition("A title")[0] for line in told(capsys, None))


def test_more_than_expected_is_no_nonsense(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line[:6] for line in told(capsys, 1) if line.endswith(": done")] == ["1 of 1", "2 of 2", "3 of 3"]
