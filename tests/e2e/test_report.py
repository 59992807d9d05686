"""`report` over the library that the demo filled, and the page of a video that its run left in Prefect."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen
from xml.etree import ElementTree

import pytest

from channelscribe.catalogue import transcripts
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from channelscribe.sample import world
from tests.conftest import Cli, clean_environment

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900)]

STAGES = {"recognize", "align", "diarize"}
VIDEO = "two-views-of-a-comet"


def test_figures_over_the_sample_channel(library: Database, cli: Cli) -> None:
    done = cli("report", "--json")
    assert done.code == 0, str(done)
    found = done.json
    assert {video["video"] for video in found["videos"]} == {episode.id for episode in world.episodes()}
    assert 0 < found["wer"] < 0.05
    assert 0 < found["word_start_median_ms"] < found["word_start_p90_ms"] < 120
    assert 0 <= found["der"] < 0.15
    assert 0.95 < found["coverage"] <= 1
    assert set(found["real_time_factor"]) == STAGES
    assert all(factor > 0 for factor in found["real_time_factor"].values())


def test_a_video_with_its_picture(library: Database, cli: Cli, tmp_path: Path) -> None:
    drawn = tmp_path / "picture.svg"
    done = cli("report", VIDEO, "--out", str(drawn), "--json")
    assert done.code == 0, str(done)
    assert ElementTree.parse(drawn).getroot().tag.endswith("svg")  # noqa: S314 - our own
    found = done.json
    assert found["picture"] == str(drawn)
    assert set(found["stages"]) == STAGES
    assert found["against_script"]["wer"] < 0.05
    assert set(found["speakers"]) == {"SPEAKER_00", "SPEAKER_01"}


def test_what_made_it_is_in_the_file_the_row_and_what_is_shown(library: Database, cli: Cli, data_dir: Path) -> None:
    _, version, transcript = library.run(transcripts.transcript_of, VIDEO)
    published = json.loads((data_dir / "library" / version.files["json"]).read_text(encoding="utf-8"))
    shown = json.loads(cli("show", VIDEO, "--format", "json").out)
    stages = published["channelscribe"]["stages"]
    assert stages == shown["channelscribe"]["stages"] == version.stages == transcript.stages
    for stage in stages.values():
        assert stage["seconds"] > 0
        assert stage["peak_rss_bytes"] > 0
        assert {"whisperx", "faster-whisper", "ctranslate2", "torch"} <= set(stage["engines"])
    assert stages["recognize"]["real_time_factor"] > 0


def test_a_report_needs_no_engine(library: Database, data_dir: Path, tmp_path: Path) -> None:
    script = (
        f"import sys\nfrom flows.cli import main\nmain(['report', '{VIDEO}', '--out', sys.argv[1]])\n"
        "print([m for m in ('prefect', 'dask', 'distributed', 'torch', 'whisperx') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.svg")],
        env=clean_environment(data_dir),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "SPEAKER_01" in done.stdout
    assert (tmp_path / "a.svg").exists()


def test_the_run_left_a_page_with_the_picture(library: Database, stack: LocalStack) -> None:
    row, *_ = library.run(transcripts.transcript_of, VIDEO)
    with urlopen(f"{stack.addresses.prefect_api_url}/artifacts/transcript-{row.site}-{row.video_id}/latest") as answer:
        artifact = json.load(answer)
    assert artifact["type"] == "markdown"
    assert artifact["task_run_id"]
    assert artifact["description"] == row.title
    assert f"# {row.title}" in artifact["data"]
    assert "](data:image/svg+xml;base64," in artifact["data"]
    assert "SPEAKER" in artifact["data"]
