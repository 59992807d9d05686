"""Preparing as the workers do it: known by content, and transcripts in original time whatever was trimmed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.audio.prepare import prepare
from channelscribe.audio.speech_track import SAMPLE_RATE, read_speech
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from channelscribe.sample import world
from channelscribe.settings import AudioOptions
from tests.audio.conftest import RATE, speech_like
from tests.conftest import clean_environment

pytestmark = [pytest.mark.long, pytest.mark.stack]

HEAD = """
import json, sys
from pathlib import Path
from prefect import flow
from channelscribe.catalogue import leases, listings, schema, videos
from channelscribe.files import sha256_file
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import to_travel
from tasks.prepare import prepare
from tasks.records import Original, VideoWork
from tasks.dask_runner import OnDask, submit
from tasks.resources import catalogue, store
from tests.catalogue.records import Listed, Video

def leased(video_id):
    schema.migrate(catalogue())
    catalogue().run(leases.release_all, "test")
    listing = Listed([Video(video_id, site="generic")], site="generic", source_id=video_id, url=f"http://x/{video_id}")
    rows = catalogue().run(videos.list_videos, catalogue().run(listings.record_listing, listing).source_pk)
    (row,) = catalogue().run(leases.claim, [row.id for row in rows], "test", 600, only_due=False)
    return VideoWork(pk=row.id, site=row.site, video_id=row.video_id, url=row.url, title="T", channel="C", owner="test")

def fetched(path, key):
    stored = store().put_file(path, key, overwrite=True)
    return Original(key=key, format_id="0", bytes=stored.bytes, seconds=None, sha256=sha256_file(path))

def options(**audio):
    return to_travel(SettingsRegistry(run={"audio": audio, "speech.model": "sample"}).resolve())

source = Path(sys.argv[1])
"""

CACHE = """
@flow(task_runner=OnDask())
def prepared(video, runs):
    futures = []
    for original, options in runs:
        futures.append(submit("CPU", prepare, video, original, options))
        futures[-1].wait()
    return [[future.state.name, future.result().model_dump(mode="json")] for future in futures]

video = leased("cached")
one = fetched(source, "originals/generic/cached/0.wav")
if store().exists("originals/generic/cached/renamed.wav"):
    print(json.dumps(prepared(video, [(one, options())])))
    sys.exit()
renamed = fetched(source, "originals/generic/cached/renamed.wav")
other = source.with_name("other.wav")
other.write_bytes(source.read_bytes()[:-4] + bytes(4))
changed = fetched(other, "originals/generic/cached/changed.wav")
steps = {"steps": ["convert", "trim", "split"], "split": {"max_minutes": 0.1, "of": "both"}}
runs = [(one, options()), (renamed, options()), (one, options(time_limit_factor=3, split={"max_minutes": 9}))]
runs += [(changed, options()), (one, options(**steps)), (one, options(**steps))]
print(json.dumps(prepared(video, runs)))
"""

SPEECH = """
from tasks.speech import align, diarize, recognize

@flow(task_runner=OnDask())
def heard(video, original, options):
    audio = submit("CPU", prepare, video, original, options)
    recognition = submit("GPU", recognize, video, audio, options)
    alignment = submit("GPU", align, video, audio, recognition, options)
    turns = submit("GPU", diarize, video, audio, options)
    checkpoints = [store().read_json(step.result().key) for step in (recognition, alignment, turns)]
    return [audio.result().model_dump(mode="json"), *checkpoints]

original = fetched(source, "originals/generic/trimmed/0.wav")
print(json.dumps(heard(leased("trimmed"), original, options(steps=["convert", "trim"]))))
"""


def run(script: str, stack: LocalStack, data_dir: Path, source: Path) -> Any:
    """The JSON that the script prints last."""
    environment = clean_environment(data_dir) | prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    environment["CHANNELSCRIBE_DASK__SCHEDULER"] = stack.addresses.scheduler or ""
    environment["CHANNELSCRIBE_DATABASE__URL"] = stack.addresses.database_url or ""
    command = [sys.executable, "-c", HEAD + script, str(source)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_same_bytes_and_options_are_prepared_once(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "x.wav"
    soundfile.write(source, speech_like(12), RATE)
    runs = run(CACHE, stack, data_dir, source)
    assert [state for state, _ in runs] == ["Completed", "Cached", "Cached", "Completed", "Completed", "Cached"]
    first, renamed, _, changed, split, _ = (audio for _, audio in runs)
    assert first == renamed and first["timeline"] is None and first["parts"] == []
    assert changed["source_sha256"] != first["source_sha256"]
    assert [part["track"] for part in split["parts"]].count("archive") >= 2
    library = data_dir / "library"
    for part in split["parts"]:
        assert (library / part["key"]).stat().st_size == part["bytes"]
    # Nor by another process, later.
    assert run(CACHE, stack, data_dir, source)[0][0] == "Cached"


@pytest.mark.speech
def test_what_is_trimmed_is_transcribed_in_original_time(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    episode = min((each for each in world.episodes() if each.script.words), key=lambda each: each.duration)
    plain = prepare(episode.path, tmp_path, AudioOptions(steps=("convert",)), {})
    voice = read_speech(plain.speech)
    silent = 7.5
    quiet = np.zeros(int(silent * SAMPLE_RATE), np.float32)
    source = tmp_path / "late.wav"
    soundfile.write(source, np.concatenate([quiet, voice, quiet]), SAMPLE_RATE)
    audio, recognition, alignment, turns = run(SPEECH, stack, data_dir, source)
    ((start, end),) = audio["timeline"]["kept"]
    assert silent - 0.5 < start and end < silent + len(voice) / SAMPLE_RATE + 0.5
    assert audio["seconds"] == len(voice) / SAMPLE_RATE + 2 * silent
    assert recognition["audio_seconds"] == round(audio["seconds"], 3)
    words = [word for segment in alignment["segments"] for word in segment["words"]]
    known = {word.text.lower().strip(".,!?"): word.start for word in reversed(episode.script.words)}
    first = {word["text"].lower().strip(".,!?"): word["start"] for word in reversed(words)}
    off = [abs(first[text] - silent - known[text]) for text in known.keys() & first.keys()]
    assert len(off) > 0.8 * len(known) and float(np.median(off)) < 0.05
    assert words[-1]["end"] == pytest.approx(silent + episode.script.words[-1].end, abs=0.3)
    assert all(start <= turn["start"] < turn["end"] <= end for turn in turns["turns"])
