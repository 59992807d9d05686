"""A library that lost any of its folders is made whole again of what is left: rows, archive, the site."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channelscribe.sample.server import SampleServer
from tests.conftest import clean_environment
from tests.e2e.repairing import FOLDERS
from tests.fixtures.old_library import feed_items, media_of, unpacked

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.long]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What `repairing` tells, and how often each file was fetched."""
    media = media_of(unpacked(tmp_path_factory.mktemp("clips") / "copy"))
    # Not pytest's folder: as root it is closed to the user that PostgreSQL runs as.
    data = Path(tempfile.mkdtemp(prefix="channelscribe-test-"))
    with SampleServer([item for item in feed_items(media) if item.id in ("1", "episode-1")], media) as server:
        done = subprocess.run(
            [sys.executable, "-m", "tests.e2e.repairing", server.feed_url, str(data / "library")],
            env=clean_environment(data), cwd=ROOT, capture_output=True, text=True, timeout=800, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        yield {**json.loads(done.stdout), "fetched": [each.path for each in server.media_requests]}
    shutil.rmtree(data)


def test_a_whole_library_needs_no_repair(told: dict[str, Any]) -> None:
    assert (told["first"]["published"], told["first"]["failed"]) == (2, 0)
    assert (told["whole"]["missing"], told["whole"]["repaired"]) == ({}, {"made": {}, "left": {}})


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_was_lost_is_there_again(told: dict[str, Any], folder: str) -> None:
    report = told[folder]
    assert report["left"] == {}
    assert bool(report["made"]) is (folder != "results")
    gone = {key for key in report["gone"] if not key.startswith(("results/", "checkpoints/"))}
    # No row can say again what was recognized, or all that steps answered; no file differs from what it was.
    other = [key for key in report["other"] if not (folder == "results" and key.startswith("results/"))]
    assert (gone, other) == (set(), [])
    assert (report["again"]["new"], report["again"]["published"], report["again"]["failed"]) == (0, 0, 0)


def test_transcripts_among_the_checkpoints_are_there_again(told: dict[str, Any]) -> None:
    assert told["checkpoints"]["made"] == {"checkpoints": 2}
    assert not [key for key in told["checkpoints"]["gone"] if key.startswith("checkpoints/transcript/")]


def test_the_site_is_asked_for_what_only_it_has(told: dict[str, Any]) -> None:
    """By the first sync, after the originals were lost, and for the new transcription; not for anything else."""
    assert (told["retranscribed"]["published"], told["retranscribed"]["failures"]) == (2, [])
    assert len(told["fetched"]) == 2 * 3
