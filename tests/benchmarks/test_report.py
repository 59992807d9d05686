"""The contract of a benchmark's last line."""

from __future__ import annotations

import json

import pytest

from benchmarks.report import meets, print_report


@pytest.mark.parametrize(
    ("figure", "goal", "met"),
    [(1.0, "<= 1.5", True), (1.6, "<= 1.5", False), (20, ">= 20", True), (19.9, ">= 20", False)],
)
def test_goals(figure: float, goal: str, met: bool) -> None:
    assert meets(figure, goal) is met


def test_a_goal_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a goal"):
        meets(1.0, "about 2")


def test_the_last_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_report("x", ["what", "median"], [["a", "1 s"]], {"ratio": 1.23456}, {"ratio": "<= 1"})
    *table, last = capsys.readouterr().out.splitlines()
    assert json.loads(last) == {"name": "x", "figures": {"ratio": 1.2346}, "goal": {"ratio": "<= 1"}, "met": False}
    assert len(table) == 3
