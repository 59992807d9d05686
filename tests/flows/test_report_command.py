"""What `report` says, of transcripts as they are in the library; the library itself is in tests/e2e."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channelscribe.catalogue.tables import TranscriptRow, VideoRow
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.evaluation.figures import Measured
from channelscribe.sample import world
from channelscribe.transcript import Segment, Transcript, Word
from flows.cli import main
from flows.commands import report
from tests.evaluation.test_picture import talk

STAGES = {
    "recognize": {
        "seconds": 10.0,
        "load_seconds": 2.0,
        "device": "cuda",
        "peak_rss_bytes": 512 << 20,
        "peak_gpu_bytes": 3 << 30,
        "real_time_factor": 7.0,
    },
    "diarize": {"seconds": 0.5, "load_seconds": 0.0, "device": "cuda", "peak_rss_bytes": 600 << 20},
}


MODELS = {"recognizer": {"name": "large-v3", "revision": "main"}, "aligner": None, "diarizer": None}


def perfect(episode: world.Episode) -> Measured:
    words = [Word(word.text, word.start, word.end, 1.0, word.speaker) for word in episode.script.words]
    segments = [Segment(0.0, episode.duration, episode.script.text, words=words)] if words else []
    return Measured(
        episode.id, episode.script, Transcript("en", episode.duration, segments, models=MODELS, stages=STAGES)
    )


def row(video_id: str, title: str = "A talk") -> VideoRow:
    return VideoRow(site="youtube", video_id=video_id, title=title, url="https://example.org/1")


def test_figures_over_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    answer = report.over_sample([perfect(world.episode("night-train")), perfect(world.episode("interlude"))])
    assert (answer["wer"], answer["word_start_median_ms"], answer["der"], answer["coverage"]) == (0.0, 0.0, None, None)
    assert answer["real_time_factor"]["align"] is None
    assert answer["real_time_factor"]["recognize"] > 1
    json.dumps(answer, allow_nan=False)
    report.show_sample(answer)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["night-train", "interlude", "all"]
    assert lines[1].split()[2:6] == ["0.0%", "0", "ms", "0"]


def test_a_library_without_the_sample_says_what_to_run() -> None:
    with pytest.raises(UnknownVideo) as raised:
        report.over_sample([])
    assert "channelscribe demo" in str(raised.value)


def test_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    transcript = talk()
    transcript.stages = STAGES
    transcript.models = MODELS
    found = report.about(row("v", "A \x1b[31mtalk"), TranscriptRow(version=2), transcript, tmp_path / "v.svg")
    assert json.loads(json.dumps(found))["version"] == 2
    assert found["against_script"] is None
    assert (tmp_path / "v.svg").read_text().startswith("<svg ")
    report.show_video(found)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "10.0 s + 2.0 s to load" in said
    assert "512 MB, GPU 3072 MB" in said
    assert "large-v3 (main)" in said
    assert "1:00–1:10" in said
    assert "0:20–0:40" in said
    assert "the recognizer was unsure of its words" in said


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        report.about(row("v"), TranscriptRow(version=1), talk(), tmp_path / "no" / "folder.svg")


def test_out_without_a_video_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--out", "a.svg"]) == 2
    assert "Name a VIDEO" in capsys.readouterr().err
