"""process-text: the demo's transcripts read again with other options, and as before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from channelscribe.catalogue import entities, stats, transcripts, videos
from channelscribe.catalogue.connection import Database
from tests.conftest import clean_environment

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(600)]

SCRIPT = """
import argparse, json, sys
from flows.session import engine, run_settings
settings, _ = run_settings(argparse.Namespace(assignments=[]))
answers, sys.stdout = sys.stdout, sys.stderr
with engine(settings, "process-text of the tests"):
    from channelscribe.errors import ChannelscribeError
    from flows.forms import ProcessRequest
    from flows.process_text import process_text
    for request in json.loads(sys.argv[1]):
        try:
            answer = process_text(ProcessRequest.model_validate(request)).model_dump(mode="json")
        except ChannelscribeError as error:
            answer = {"reason": error.reason}
        answers.write(json.dumps(answer) + chr(10))
"""
AS_BEFORE = {"text.models": {"en": "sample"}}
FEWER = {**AS_BEFORE, "text.steps": ["sentences", "tokens"]}


def process(data: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(requests)],
        env=clean_environment(data),
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def readings(library: Database) -> dict[str, tuple[str | None, str | None, int]]:
    """Of each transcript that is there: its reading's rows and file, and how many versions the video has."""
    found = {}
    for video in library.run(transcripts.with_transcripts):
        versions = library.run(transcripts.versions, video.id)
        found[video.video_id] = (versions[-1].reading_id, versions[-1].reading_key, len(versions))
    return found


def test_readings_are_replaced_and_transcripts_stay(library: Database, data_dir: Path) -> None:
    before = readings(library)
    some = next(iter(library.run(videos.sources))).title
    rehearsed, fewer, limited, unknown = process(
        data_dir,
        {"settings": FEWER},
        {"settings": FEWER, "dry_run": False},
        {"settings": FEWER, "dry_run": False, "channel": some, "limit": 2},
        {"channel": "nobody's"},
    )
    assert (rehearsed["found"], rehearsed["read"]) == (len(before), 0)
    assert (fewer["read"], fewer["failures"]) == (len(before), [])
    assert (limited["found"], limited["read"]) == (2, 2)
    assert unknown == {"reason": "unknown_source"}
    after = readings(library)
    assert {video: found[2] for video, found in after.items()} == {video: found[2] for video, found in before.items()}
    assert all(after[video][1] != before[video][1] for video in before)  # another file
    assert any(after[video][0] != before[video][0] for video in before)  # names have gone from the rows
    assert list(library.run(entities.entity_counts)) == []
    (again,) = process(data_dir, {"settings": AS_BEFORE, "dry_run": False})
    assert again["read"] == len(before)
    assert readings(library) == before
    assert library.run(stats.progress) == []
