"""Speakers without a token: on the sample's voices, and on real people where `../shared/real-speech` is there."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import pytest

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.evaluation.metrics import diarization_error_rate
from channelscribe.settings import SpeechOptions
from channelscribe.speech.diarize import diarize
from channelscribe.speech.registry import OPEN_DIARIZER, resolve_model
from channelscribe.transcript import Turn
from tests.speech.real import needs_recordings, samples, turns

pytestmark = [pytest.mark.speech, pytest.mark.slow]

# Of three readers in turns; half a second of silence between two.
READ = (
    *("LJ001-0001", "austen-0870", "jfk", "LJ001-0003"),
    *("austen-0890", "LJ001-0005", "austen-0880", "LJ001-0007"),
)
PAUSE = 0.5


def _found(audio: Any, **options: object) -> dict[str, Any]:
    chosen = SpeechOptions.model_validate({"model": "sample", "device": "cpu", **options})
    return diarize(audio, replace(resolve_model(chosen), diarizer=OPEN_DIARIZER), chosen)


def _error_rate(truth: list[Turn], found: dict[str, Any]) -> float:
    wrong, total = diarization_error_rate(truth, [Turn(**turn) for turn in found["turns"]], collar=0)
    return wrong / total


def test_the_samples_voices_are_told_apart(dialogue: Any) -> None:
    found = _found(dialogue.audio[: 30 * SAMPLE_RATE], min_speakers=2, max_speakers=2)
    truth = [Turn(start, min(end, 30), who) for start, end, who in dialogue.script.speech if start < 30]
    assert found["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    assert found["diarizer"]["model"] == "ge2e"
    assert _error_rate(truth, found) < 0.25


def test_hardly_any_speech_has_one_speaker_or_none(dialogue: Any) -> None:
    assert _found(np.zeros(3 * SAMPLE_RATE, np.float32))["turns"] == []
    start, _, _ = dialogue.script.speech[0]
    word = dialogue.audio[int(start * SAMPLE_RATE) : int((start + 0.8) * SAMPLE_RATE)]
    assert len(_found(word)["speakers"]) <= 1


@needs_recordings
@pytest.mark.parametrize(
    ("name", "bar", "told"),
    [
        ("talk/telephone", 0.12, {}),
        ("talk/ami-dev00", 0.22, {}),
        ("talk/ami-dev01", 0.40, {"min_speakers": 2, "max_speakers": 2}),
    ],
)
def test_people_who_talk(name: str, bar: float, told: dict[str, int]) -> None:
    assert _error_rate(turns(name), _found(samples(name), **told)) <= bar


@needs_recordings
def test_readers_in_turns() -> None:
    read = [samples(f"read/{name}") for name in READ]
    silence = np.zeros(int(PAUSE * SAMPLE_RATE), np.float32)
    ends = list(accumulate((len(each) + len(silence)) / SAMPLE_RATE for each in read))
    starts = [0.0, *ends[:-1]]
    truth = [Turn(start, end - PAUSE, name[:3]) for start, end, name in zip(starts, ends, READ, strict=True)]
    found = _found(np.concatenate([part for each in read for part in (each, silence)]))
    assert len(found["speakers"]) == 3
    assert _error_rate(truth, found) <= 0.12


@needs_recordings
def test_one_reader_is_one() -> None:
    alone = np.concatenate([samples(f"read/LJ001-000{number}") for number in (1, 3, 5, 7)])
    assert len(_found(alone)["speakers"]) == 1
