"""The command line and its docs: every command and option is in the README, help needs no engine."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import WITHIN, main, parser

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def commands() -> dict[str, argparse.ArgumentParser]:
    actions = parser()._actions
    found = next(action for action in actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


@pytest.mark.parametrize("name", commands())
def test_each_command_and_option_is_in_the_readme(name: str) -> None:
    assert f"channelscribe {name}" in README
    for action in commands()[name]._actions:
        for option in action.option_strings:
            assert option in {"-h", "--help"} or option in README, f"{name} {option}"


@pytest.mark.parametrize("name", commands())
def test_each_command_is_where_the_table_says(name: str) -> None:
    module = importlib.import_module(f"flows.commands.{WITHIN.get(name, name)}")
    assert callable(getattr(module, name if name in WITHIN else "run"))
    assert set(WITHIN) <= set(commands())


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
