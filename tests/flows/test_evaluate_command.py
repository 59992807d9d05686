"""`channelscribe evaluate` on a piece of the sample's speech whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.audio.prepare import prepare
from channelscribe.audio.speech_track import read_speech
from channelscribe.sample import world
from channelscribe.settings import AudioOptions
from flows.cli import main

SECONDS = 15


@pytest.mark.speech
@pytest.mark.long
def test_ones_own_recordings_beside_faster_whisper(tmp_path: Path, capsys: Any) -> None:
    assert ffmpeg_path()
    episode = world.episode("two-views-of-a-comet")
    audio = read_speech(prepare(episode.path, tmp_path, AudioOptions(steps=()), {}, name="whole").speech)
    folder, out = tmp_path / "mine", tmp_path / "page.html"
    (folder / "talk").mkdir(parents=True)
    soundfile.write(folder / "talk/comet.flac", audio[: SECONDS * 16000], 16000)
    words = [word for word in episode.script.words if word.end <= SECONDS]
    (folder / "talk/comet.ctm").write_text("".join(f"x 1 {w.start} {w.end - w.start:.3f} {w.text}\n" for w in words))
    turns = [(start, min(end, SECONDS), who) for start, end, who in episode.script.speech if start < SECONDS]
    lines = (f"SPEAKER x 1 {start} {end - start:.3f} <NA> <NA> {who} <NA> <NA>\n" for start, end, who in turns)
    (folder / "talk/comet.rttm").write_text("".join(lines))
    soundfile.write(folder / "silence.wav", np.zeros(3 * 16000), 16000)
    (folder / "silence.txt").write_text("")
    (folder / "broken.mp3").write_bytes(b"no sound")
    given = ["evaluate", str(folder), "--model", "sample", "--against", "faster-whisper", "--out", str(out), "--json"]
    assert main(given) == 3
    answer = json.loads(capsys.readouterr().out)
    assert {each["recording"] for each in answer["failures"]} == {"broken"}
    found = {(each["recording"], each["system"]): each for each in answer["recordings"]}
    ours = found["talk/comet", "channelscribe"]
    assert ours["wer"] < 0.2
    assert ours["word_start_median"] < 0.08
    assert ours["der"] < 0.25
    assert ours["coverage"] > 0.9
    assert ours["cpu_factor"] > 0
    assert found["talk/comet", "faster-whisper"]["der"] is None
    assert found["silence", "channelscribe"]["invented_seconds"] == 0
    assert {each["system"] for each in answer["all"]} == {"channelscribe", "faster-whisper"}
    assert "talk/comet" in out.read_text()


def test_what_cannot_be_compared_with_or_read_is_told(tmp_path: Path, capsys: Any) -> None:
    assert main(["evaluate", str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err
