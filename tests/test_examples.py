"""Each file of examples/ is run, as its first lines say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest

from channelscribe.catalogue.connection import Database
from channelscribe.sample import world
from channelscribe.settings.registry import SettingsRegistry
from deployments.channels import channels
from flows.cli import parser
from tests.conftest import clean_environment
from tests.web.conftest import publish, said

EXAMPLES = Path(__file__).parent.parent / "examples"
TRIED = {"channels.yaml", "channelscribe.yaml", "passages.py", "search_library.py", "transcribe_files.py"}


def run(folder: Path, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**clean_environment(folder / "data"), "PYTHONPATH": str(EXAMPLES.parent), **more}
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == TRIED


def row(start: float, text: str, speaker: str = "SPEAKER_00", **more: object) -> dict[str, object]:
    """A row of `channelscribe export`, with what the example reads of it."""
    made = {"site": "youtube", "video": "a", "title": "A talk", "url": "https://www.youtube.com/watch?v=a"}
    return {
        **made,
        "start": start,
        "end": start + 3,
        "speaker": speaker,
        "text": text,
        "chapter": None,
        "flags": [],
    } | more


def test_passages(tmp_path: Path) -> None:
    rows = [
        row(0, "One."),
        row(3.5, " Two."),
        row(7, "Three.", "SPEAKER_01"),
        row(10, "A phrase that nobody said.", "SPEAKER_01", flags=["unsure"]),
        row(20, "Four.", "SPEAKER_01"),
        row(23, "Five.", "SPEAKER_01", video="b"),
    ]
    (tmp_path / "channel.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    done = run(tmp_path, "passages.py", "channel.jsonl")
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["text"] for each in made] == ["One. Two.", "Three.", "Four.", "Five."]
    assert made[2]["url"] == "https://www.youtube.com/watch?v=a&t=20"


def test_passages_reads_the_columns_of_an_export() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from channelscribe.export import corpus

    columns = {each.name for each in corpus._schema(pyarrow)}
    assert set(row(0, "")) <= columns


@pytest.mark.slow
def test_search_library(tmp_path: Path, catalogue: Database, one_database: str) -> None:
    publish(catalogue, "talk", said(), title="At the zoo", published=date(2026, 1, 31))
    found = run(tmp_path, "search_library.py", '"elephants at the zoo"', CHANNELSCRIBE_DATABASE__URL=one_database)
    assert found.returncode == 0, found.stderr
    assert "in front of the elephants" in found.stdout and "https://" in found.stdout
    assert run(tmp_path, "search_library.py", "xyzzy", CHANNELSCRIBE_DATABASE__URL=one_database).returncode == 1


@pytest.mark.long
@pytest.mark.speech
def test_transcribe_files(tmp_path: Path) -> None:
    shortest = min((each for each in world.episodes() if each.script.text), key=lambda each: each.duration)
    files = (str(shortest.path), "missing.mp3")
    done = run(tmp_path, "transcribe_files.py", *files, CHANNELSCRIBE_SPEECH__MODEL="sample")
    assert done.returncode == 1, done.stderr
    assert "missing.mp3: missing.mp3 is not a file." in done.stderr
    assert "the first words:" in done.stdout


@pytest.mark.parametrize(
    ("name", "schema"), [("github-actions.yml", "github-workflows"), ("gitlab-ci.yml", "gitlab-ci")]
)
def test_ci_files_are_what_their_service_reads(name: str, schema: str) -> None:
    file = EXAMPLES / "ci" / name
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_files_give_commands_that_the_program_knows(capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (EXAMPLES / "ci").glob("*.yml"))
    found = re.findall(r"(?:^|[\s;&])(channelscribe (?:run|deploy|sync|status)\b[^\n&|;>]*)", text)
    assert len(found) >= 4
    for line in found:
        words = shlex.split(re.sub(r"\$\{\{.*?\}\}|\$\w+", "x", line.strip().strip("'\"")))
        parser().parse_args(words[1:])
    assert capsys.readouterr().err == ""


def test_channels_are_schedules() -> None:
    declared = channels(EXAMPLES / "channels.yaml")
    assert len(declared) == 3


def test_channels_of_the_how_to_are_schedules(tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "docs" / "how-to" / "server.md").read_text(encoding="utf-8")
    block = re.search(r"\n\n((?:    .*\n)+)", page[page.index("    # channels.yaml") - 2 :])
    assert block
    (tmp_path / "channels.yaml").write_text(dedent(block[1]), encoding="utf-8")
    assert len(channels(tmp_path / "channels.yaml")) == 2


def test_settings_are_settings(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "channelscribe.yaml", tmp_path)
    settings = SettingsRegistry(environ={}, folder=tmp_path).resolve()
    assert str(settings.data_dir) == "/srv/talks"
    assert [rule.model for rule in settings.speech.rules] == ["large-v3-turbo", "base"]
