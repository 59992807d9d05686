"""The examples of CI: valid by the schemas of GitHub and GitLab, and their command lines are ours."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.cli import parser
from flows.commands.run import parameters
from flows.forms import SyncRequest

EXAMPLES = Path(__file__).parent.parent / "examples" / "ci"
SCHEMAS = {"github-actions.yml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci"}


def test_each_example_is_in_the_readme_and_tried() -> None:
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert files == set(SCHEMAS)
    assert all(f"({name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8") for name in files)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMAS)
def test_its_format_is_the_services(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name], str(EXAMPLES / name)]
    if name == "gitlab-ci.yml":
        command += ["--data-transform", "gitlab-ci"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SCHEMAS)
def test_its_command_lines_are_ours(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert yaml.safe_load(text)
    lines = re.findall(r"^ *(?:- (?:run: )?)?(channelscribe .+?)(?: > .*)?$", text, re.MULTILINE)
    assert {line.split()[1] for line in lines} == {"deploy", "run"}
    for line in lines:
        options = parser().parse_args(shlex.split(line)[1:])
        if options.command == "run":
            given = parameters([each.replace("$SOURCE", "https://example.org/feed") for each in options.param])
            assert (options.flow, options.wait, options.json) == ("sync-channel", True, True)
            assert SyncRequest(**given).limit == 20
