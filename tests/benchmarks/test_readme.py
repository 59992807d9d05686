"""The docs' figures are those of the committed results, and a result is a benchmark's last line with its machine."""

from __future__ import annotations

import io
import json
import re
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from benchmarks import keep, readme

BENCHMARKS = Path(readme.__file__).parent
ROW = {
    "name": "reading",
    "about": "talks",
    "rows": {"{reading.ratio:.2f} ×": "spaCy's", "{reading.same:?}": "the same"},
}
RESULT = {
    "name": "reading",
    "figures": {"reading.ratio": 0.946, "reading.same": 1.0},
    "goal": {"reading.same": ">= 1", "reading.ratio": ">= 0.9"},
    "met": True,
    "state": "measured",
    "date": "2026-11-23",
    "machine": {"cores": 2, "cpu": "Some CPU", "gpu": None, "python": "3.11.7"},
    "versions": {},
}


def test_the_docs_have_the_figures_of_the_results() -> None:
    written = readme.pages()
    assert set(written) == {readme.README, readme.PAGE}
    for path, page in written.items():
        assert path.read_text(encoding="utf-8") == page, "make bench-report writes it"


def test_the_three_figures_of_the_readme_are_measured_and_dated() -> None:
    lines = readme.three(readme.results_of()).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert re.search(r"\d{4}-\d{2}-\d{2}, \d+ cores", line), line
    with pytest.raises(KeyError):
        readme.three({})


def test_every_benchmark_has_a_row_and_every_result_a_benchmark() -> None:
    benchmarks = {
        re.search(r"print_report\(\s*\"(\w+)\"", text).group(1)  # type: ignore[union-attr]
        for path in BENCHMARKS.glob("*.py")
        if path.stem != "report" and "print_report(" in (text := path.read_text(encoding="utf-8"))
    }
    assert len(benchmarks) >= 12
    assert [row["name"] for row in readme.rows_of()] == list({row["name"]: 1 for row in readme.rows_of()})
    assert {row["name"] for row in readme.rows_of()} == benchmarks
    assert set(readme.results_of()) <= benchmarks


def test_every_figure_of_a_row_is_one_of_its_benchmark() -> None:
    for row in readme.rows_of():
        source = (BENCHMARKS / f"{row['name']}.py").read_text(encoding="utf-8")
        assert row["rows"]
        for name in re.findall(r"\{([a-z0-9_.]+)", "".join(row["rows"])):
            # Some names are put together there: of the case, of the way.
            pattern = re.escape(name).replace(r"short_", r"\{?\w+\}?_").replace(r"long_", r"\{?\w+\}?_")
            pattern = pattern.replace("chain_", r"\{?\w+\}?_")
            assert re.search(pattern, source), name


def test_results_say_where_and_when() -> None:
    for name, result in readme.results_of().items():
        assert result["name"] == name
        assert result["state"] in ("measured", "earlier")
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", result["date"])
        assert result["machine"]["cores"]
        if result["state"] == "measured":
            assert result["machine"]["cpu"] and result["machine"]["python"] and result["versions"]["prefect"]


def test_a_section() -> None:
    assert readme.section(ROW, RESULT) == (
        "### reading\n\nTalks. Measured 2026-11-23, 2 cores, Some CPU.\n\n"
        "| figure | goal | meaning |\n|---|---|---|\n| 0.95 × | ≥ 0.9 | spaCy's |\n| yes | yes | the same |\n"
    )


def test_another_figure_is_another_section() -> None:
    other: dict[str, Any] = deepcopy(RESULT)
    other["figures"]["reading.ratio"] = 0.81
    assert readme.section(ROW, other) == readme.section(ROW, RESULT).replace("0.95", "0.81").replace(
        "0.9 |", "0.9, missed |"
    )
    other["state"] = "earlier"
    assert ", earlier.\n" in readme.section(ROW, other)


def test_goals() -> None:
    assert readme.goal_of("{reading.ratio:.1%}", RESULT) == "≥ 90%"
    assert readme.goal_of("{reading.other}", RESULT) == ""
    figures = {"reading.ratio": 0.5, "reading.same": 0.0}
    assert readme.goal_of("{reading.ratio:.2f} ×", {**RESULT, "figures": figures}) == "≥ 0.9, missed"
    assert readme.goal_of("{reading.same:?}", {**RESULT, "figures": figures}) == "yes, missed"


def test_every_goal_of_a_result_is_shown() -> None:
    rows = {row["name"]: "".join(row["rows"]) for row in readme.rows_of()}
    for name, result in readme.results_of().items():
        assert [goal for goal in result["goal"] if f"{{{goal}" not in rows[name]] == []


def test_without_a_result_or_a_figure_it_was_not_measured() -> None:
    lacking = {**RESULT, "figures": {"reading.ratio": 1.0}}
    for result in (None, lacking):
        assert readme.section(ROW, result) == "### reading\n\nTalks. Not measured.\n"


def test_a_readme_without_the_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        readme.rewritten("# A README\n", "")


def test_what_a_benchmark_printed_is_passed_on_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"name": "reading", "figures": {"reading.ratio": 0.9}, "goal": {}, "met": True}
    printed = f"reading: a machine\nwhat  median\n{json.dumps(line)}\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(printed))
    monkeypatch.setattr(keep.keep, "__defaults__", (tmp_path,))
    keep.main()
    assert capsys.readouterr().out == printed
    kept = json.loads((tmp_path / "reading.json").read_text())
    assert {name: kept[name] for name in line} == line
    assert kept["state"] == "measured" and kept["machine"]["cores"]


@pytest.mark.parametrize("printed", ["", "There is no GPU here.\n", "[1]\n", '{"name": "reading"}\n'])
def test_what_ends_without_figures_keeps_nothing(printed: str) -> None:
    assert keep.result_of(printed) is None


def test_the_model_of_a_processor(tmp_path: Path) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Processor @ 2.90GHz\nflags\t: fpu\n")
    assert keep.cpu_model(told) == "Intel Xeon @ 2.90GHz"
    assert keep.cpu_model(tmp_path / "nothing")
