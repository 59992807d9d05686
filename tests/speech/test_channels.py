"""Two people, one a channel: taken apart, each with its own words; ordinary stereo stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.settings import SpeechOptions
from channelscribe.speech.channels import merged, separate
from channelscribe.speech.files import transcribe_files
from channelscribe.transcript import Segment, Transcript, Turn, Word
from tests.speech.real import base, needs_recordings, needs_whisper, samples

RATE = 16_000


def _turns(seconds: float, *spoken: tuple[float, float]) -> Any:
    sound = np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE))
    at = np.arange(len(sound)) / RATE
    return sound * sum(((at >= start) & (at < end)).astype(float) for start, end in spoken)


def _written(folder: Path, *channels: Any) -> Path:
    path = folder / "call.wav"
    soundfile.write(path, np.stack(channels, axis=1).astype(np.float32), RATE)
    return path


@pytest.mark.parametrize(
    ("left", "right", "wanted", "apart"),
    [
        ([(0, 3), (6, 8)], [(3.2, 5.8)], "auto", True),
        ([(0, 3), (6, 8)], [(3.2, 5.8)], "mix", False),
        ([(0, 8)], [(0, 8)], "auto", False),  # ordinary stereo
        ([(0, 8)], [], "auto", False),  # one channel is mute
        ([(0, 8)], [(0, 8)], "split", True),
    ],
)
def test_channels_are_taken_apart_where_their_voices_differ(
    tmp_path: Path, left: Any, right: Any, wanted: Any, apart: bool
) -> None:
    path = _written(tmp_path, _turns(8, *left), _turns(8, *right))
    files = separate(path, tmp_path, "0", wanted)
    assert len(files) == (2 if apart else 0)
    assert sorted(tmp_path.iterdir()) == sorted([path, *files])
    if apart:
        assert soundfile.info(files[0]).frames == 8 * RATE


def test_mono_and_what_is_no_sound_are_left_to_others(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mono.wav", np.zeros(RATE), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    assert separate(tmp_path / "mono.wav", tmp_path, "0", "split") == []
    assert separate(tmp_path / "text.wav", tmp_path, "1", "split") == []
    assert separate(tmp_path / "missing.wav", tmp_path, "2", "split") == []


def _part(language: str, *said: tuple[str, float], coverage: float | None = 1.0) -> Transcript:
    segments = [
        Segment(start, start + 1, text, words=[Word(text, start, start + 1, 0.5)], avg_logprob=-0.1)
        for text, start in said
    ]
    speech = [[start, start + 1.0] for _, start in said]
    quality = {"speech": speech, "speech_seconds": float(len(said)), "coverage": coverage, "flagged": 1}
    quality["covered_seconds"] = None if coverage is None else coverage * len(said)
    return Transcript(language, 9.0, segments, [], {"recognizer": {"name": "x"}}, quality=quality)


def test_transcripts_of_channels_become_one() -> None:
    made = merged([_part("en", ("one", 0), ("three", 4)), _part("de", ("zwei", 2), coverage=0.5)])
    assert [(each.text, each.speaker, each.language) for each in made.segments] == [
        ("one", "CHANNEL_1", None),
        ("zwei", "CHANNEL_2", "de"),
        ("three", "CHANNEL_1", None),
    ]
    assert made.turns[1] == Turn(2, 3, "CHANNEL_2")
    assert {word.speaker for word in made.segments[1].words} == {"CHANNEL_2"}
    assert (made.language, made.quality["coverage"], made.quality["flagged"]) == ("en", round(2.5 / 3, 4), 2)
    assert "each channel" in made.quality["note"]
    assert merged([_part("en", ("one", 0)), _part("en", ("two", 1), coverage=None)]).quality["coverage"] is None


@pytest.mark.speech
def test_a_call_is_transcribed_by_channel(dialogue: Any, tmp_path: Path) -> None:
    sound, gap = dialogue.audio[: 10 * RATE], np.zeros(10 * RATE)
    path = _written(tmp_path, np.r_[sound, gap], np.r_[gap, dialogue.audio[30 * RATE : 40 * RATE]])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    mono = tmp_path / "mono.wav"
    soundfile.write(mono, sound[: 3 * RATE], RATE)
    call, other = transcribe_files([path, mono], scratch, SpeechOptions(model="sample", device="cpu", diarize=False))
    assert call.error is None and call.transcript is not None
    assert call.transcript.speakers == ["CHANNEL_1", "CHANNEL_2"]
    spoken = [(each.speaker, each.start, each.end) for each in call.transcript.segments]
    assert all(end < 10.5 if who == "CHANNEL_1" else start > 9.5 for who, start, end in spoken), spoken
    assert (call.transcript.models["diarizer"] or {})["model"] == "channels"
    assert other.transcript is not None and other.transcript.speakers == []
    assert list(scratch.iterdir()) == []


@pytest.mark.speech
@pytest.mark.long
@needs_whisper
@needs_recordings
def test_two_real_people_who_speak_at_once_are_both_heard(tmp_path: Path) -> None:
    one, other = samples("read/jfk"), samples("read/austen-0870")
    seconds = max(len(one), len(other)) + 4 * RATE
    left, right = np.zeros(seconds, np.float32), np.zeros(seconds, np.float32)
    left[: len(one)] = one
    right[-len(other) :] = other
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = _written(tmp_path, left, right)
    (done,) = transcribe_files([path], scratch, base(language="en", align="attention", channels="split"))
    assert done.transcript is not None
    text = dict.fromkeys(done.transcript.speakers, "")
    for segment in done.transcript.segments:
        text[segment.speaker or ""] += segment.text.lower() + " "
    assert "ask not what your country can do for you" in text["CHANNEL_1"].replace(",", "")
    assert "dashwood" in text["CHANNEL_2"]
    assert "country" not in text["CHANNEL_2"]
