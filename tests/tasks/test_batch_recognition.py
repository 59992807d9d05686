"""Short videos of one request: recognized together, kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.audio.prepare import prepare
from channelscribe.audio.speech_track import read_speech
from channelscribe.local_stack import LocalStack
from channelscribe.sample import world
from channelscribe.settings import AudioOptions
from tasks.batch_recognition import SHORT_SECONDS, TOGETHER_SECONDS, short_ones
from tasks.records import PreparedAudio
from tests.tasks.test_prepare import run

SCRIPT = """
from tasks.records import PreparedAudio
from tasks.speech import recognize, recognize_together
from tasks.batching import failure_of
from channelscribe.catalogue.connection import execute
import uuid

def audio(name):
    key = f"speech_tracks/generic/{uuid.uuid4()}.flac"
    sha256 = store().put_file(source / name, key).sha256
    rest = dict(archive_key=key, format_id="0", bytes=1, loudness=None, options_key="")
    return PreparedAudio(source_sha256=sha256, speech_sha256=sha256, speech_key=key, seconds=6, **rest)

@flow(task_runner=OnDask())
def transcribed(work, options):
    videos, tracks = zip(*work)
    batch = submit("GPU", recognize_together, list(videos), list(tracks), options)
    alone = [submit("GPU", recognize, video, track, options, batch) for video, track in work]
    errors = [failure_of([each]) for each in alone]
    return batch.result(), errors, [e or store().read_json(a.result().key) for a, e in zip(alone, errors)]

names = ("one", "broken", "two")
leased("together-0")
videos = [Video(f"together-{name}", site="generic") for name in names]
report = catalogue().run(listings.record_listing, Listed(videos, site="generic", source_id="t"))
rows = catalogue().run(leases.due, report.source_pk)
rows = catalogue().run(leases.claim, [row.id for row in rows], "test", 600, only_due=False)
rows = {row.video_id: row for row in rows}
fixed = dict(site="generic", url="http://x", title="T", channel="C", owner="test")
found = [VideoWork(pk=rows[v.video_id].id, video_id=v.video_id, **fixed) for v in videos]
work = [(video, audio(f"{name}.flac")) for video, name in zip(found, names)]
first, errors, answers = transcribed(work, options())
again = transcribed(work, options())[0]
with catalogue().session() as session:
    query = "SELECT video_id, outcome FROM stage_run JOIN video ON video.id = video_pk WHERE video_id LIKE 'together-%'"
    tries = sorted(map(list, execute(session, query + " AND stage = 'recognize'")))
said = [type(answer).__name__ if error else answer for error, answer in zip(errors, answers)]
print(json.dumps([first, again, said, tries]))
"""


@pytest.mark.long
@pytest.mark.stack
@pytest.mark.speech
def test_each_has_its_own_checkpoint_and_its_own_failure(
    stack: LocalStack, data_dir: Path, dialogue_folder: Path
) -> None:
    first, again, (one, broken, two), tries = run(SCRIPT, stack, data_dir, dialogue_folder)
    assert (first, again) == (2, 0)
    assert broken == "CorruptMedia"
    # What was made in the batch was made once; the broken one was tried again alone.
    twice = [["together-broken", "corrupt_media"]] * 2
    assert [each for each in tries if each not in twice] == [["together-one", "done"], ["together-two", "done"]]
    for answer in (one, two):
        assert answer["segments"]
        assert answer["audio_seconds"] == 6
        assert answer["made"]["seconds"] > 0
    assert one["segments"] != two["segments"]


@pytest.fixture
def dialogue_folder(tmp_path: Path) -> Path:
    """Two stretches of the dialogue as speech tracks, and what is none."""
    whole = prepare(world.episode("two-views-of-a-comet").path, tmp_path, AudioOptions(steps=()), {}, name="whole")
    samples = read_speech(whole.speech)
    for name, start in (("one", 0), ("two", 9)):
        soundfile.write(tmp_path / f"{name}.flac", samples[start * 16000 : (start + 6) * 16000], 16000)
    (tmp_path / "broken.flac").write_bytes(b"fLaC and nothing more")
    return tmp_path


def _audio(*seconds: float) -> list[PreparedAudio]:
    fixed = {"source_sha256": "", "speech_sha256": "", "archive_key": "", "speech_key": "", "format_id": ""}
    rest = {"bytes": 1, "loudness": None, "options_key": ""}
    return [PreparedAudio.model_validate({**fixed, **rest, "seconds": each}) for each in seconds]


def test_short_ones_go_together_and_long_ones_alone() -> None:
    assert short_ones(_audio(60, 3600, 60, SHORT_SECONDS + 1, 60)) == [[0, 2, 4]]
    assert short_ones(_audio(60, 3600)) == short_ones([]) == []
    many = short_ones(_audio(*[200.0] * 10))
    assert [len(group) for group in many] == [4, 4, 2]
    assert all(len(group) * 200 <= TOGETHER_SECONDS for group in many)
    assert [place for group in many for place in group] == list(range(10))
