"""`kill -9` and Ctrl-C in the middle of a sync, then the same command again: as if it had never been stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from channelscribe.catalogue import Catalogue
from channelscribe.hashing import sha256_file
from channelscribe.laptop import LaptopStack
from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings
from tests.conftest import ON_SAMPLE, clean_environment, command, run_command

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900)]

KEPT = ("audio_files", "transcriptions", "processed")


@pytest.fixture(scope="module")
def feed() -> Iterator[SampleServer]:
    """Two short episodes."""
    items = sorted((item for item in sample_items() if item.id != "interlude"), key=lambda item: item.duration)[:2]
    with SampleServer(items=items) as server:
        yield server


def kept_files(data: Path) -> dict[str, str]:
    """Every file that a finished sync keeps, with its content; of a transcript's json without what its stages took."""
    root = data / "library"
    files = [path for folder in KEPT for path in (root / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): content(path) for path in files}


def content(path: Path) -> str:
    if path.parts[-4] != "transcriptions" or path.suffix != ".json":
        return sha256_file(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert set(document["channelscribe"].pop("stages")) == {"recognize", "align", "diarize"}
    return json.dumps(document)


def rows(data: Path) -> list[tuple[str, str, str | None, int]]:
    """(video, state, transcript, words) of every video."""
    with LaptopStack(Settings(data_dir=data), ["database"]) as stack:
        stack.wait_ready()
        catalogue = Catalogue(stack.addresses.database_url or "")
        found = []
        for source in catalogue.sources():
            for row in catalogue.list_videos(source.id):
                _, version, transcript = catalogue.transcript_of(row.id)
                found.append((row.video_id, row.state, version.transcript_id, len(transcript.words)))
        catalogue.close()
    return sorted(found)


def stop_when(data: Path, word: str, number: signal.Signals, feed: SampleServer) -> None:
    """Run a sync and signal it as soon as it says `word`; wait until nothing of it runs."""
    process = subprocess.Popen(
        command("sync", feed.feed_url, *ON_SAMPLE),
        env=clean_environment(data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if word in line:
            break
    assert any(word in line for line in said), said
    process.send_signal(number)
    process.wait(60)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and mentioning(data):
        time.sleep(0.2)
    assert mentioning(data) == []


def mentioning(data: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(data) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found


def test_a_killed_and_an_interrupted_sync_end_as_one_that_ran_through(
    tmp_path_factory: pytest.TempPathFactory, feed: SampleServer
) -> None:
    clean = tmp_path_factory.mktemp("clean")
    through = run_command(clean, "sync", feed.feed_url, "--json", *ON_SAMPLE)
    assert through.code == 0, str(through)

    stopped = tmp_path_factory.mktemp("stopped")
    stop_when(stopped, "transcribing", signal.SIGKILL, feed)
    stop_when(stopped, "aligning words", signal.SIGINT, feed)
    done = run_command(stopped, "sync", feed.feed_url, "--json", *ON_SAMPLE)
    assert done.code == 0, str(done)
    assert done.json["failures"] == []
    assert rows(stopped) == rows(clean)
    # The sites' own names of what is in the mp3 are equal too: nothing else in these files depends on the run.
    assert kept_files(stopped) == kept_files(clean)
    assert not list((stopped / "scratch").rglob("*.part"))
