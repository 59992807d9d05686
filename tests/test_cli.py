"""The command line and its docs: every command and option is in docs/reference/commands.md, help needs no engine."""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import WITHIN, commands_of, main, parser

PAGE = (Path(__file__).parent.parent / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")


def all_of(top: argparse.ArgumentParser, before: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every command by what is typed: those within others (`watch add`), too."""
    found: dict[str, argparse.ArgumentParser] = {}
    for name, each in commands_of(top).items():
        found[f"{before}{name}"] = each
        if any(isinstance(action, argparse._SubParsersAction) for action in each._actions):
            found |= all_of(each, f"{before}{name} ")
    return found


COMMANDS = commands_of(parser())
EVERY = all_of(parser())


@pytest.mark.parametrize("name", EVERY)
def test_each_command_and_option_is_in_the_docs(name: str) -> None:
    section = re.split(rf"\n##+ {name}\n", PAGE)[1].partition("\n## ")[0]
    assert f"channelscribe {name}" in section
    for action in EVERY[name]._actions:
        for option in action.option_strings:
            assert option in {"-h", "--help", "--json", "--set"} or option in section, f"{name} {option}"
    assert all(common in PAGE for common in ("--help", "--json", "--set"))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_where_the_table_says(name: str) -> None:
    module = importlib.import_module(f"flows.commands.{WITHIN.get(name, name)}")
    assert callable(getattr(module, name if name in WITHIN else "run"))
    assert set(WITHIN) <= set(COMMANDS)


def test_help_and_version_import_no_engine() -> None:
    script = (
        "import sys\nfrom flows.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('prefect', 'dask', 'torch', 'yt_dlp', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_config_show_tells_each_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--json", "--set", "speech.beam_size=3"]) == 0
    import json

    shown = json.loads(capsys.readouterr().out)
    assert shown["speech.beam_size"] == {"value": "3", "origin": "run parameter"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["serach", "x"],
            "there is no command 'serach'. Did you mean search? See `channelscribe --help`.\n",
        ),
        (["qqq"], "channelscribe: there is no command 'qqq'. See `channelscribe --help`.\n"),
        (
            ["search"],
            "the following arguments are required: QUERY. See `channelscribe search --help`.\n",
        ),
        (["show", "x", "--format", "doc"], "no transcript format 'doc'. Known: txt, srt, vtt, tsv, json. See"),
        (["status", "--set", "speech.modle=x"], "Did you mean speech.model? `channelscribe config show` lists all.\n"),
        (
            ["status", "--set", "speech.model"],
            "is not KEY=VALUE. For example --set speech.model=small.\n",
        ),
    ],
)
def test_wrong_usage_is_one_line_with_its_remedy(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(arguments)
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert says in said.err


def test_a_failure_is_one_line_with_its_remedy_and_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHANNELSCRIBE_DATA_DIR", str(tmp_path / "taken"))
    (tmp_path / "taken").write_text("a file where the folder should be")
    assert main(["status"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert re.fullmatch(r"channelscribe: .+ Set CHANNELSCRIBE_DATA_DIR .+ \[data_dir_not_writable\]\n", said.err), said


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "search" in capsys.readouterr().err
