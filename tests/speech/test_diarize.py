"""A long recording in windows has the speakers that it has as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from channelscribe.quality.metrics import diarization_error_rate
from channelscribe.settings import SpeechOptions
from channelscribe.speech import diarize as diarizing
from channelscribe.speech.diarize import diarize
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.stitching import Stitcher, join_turns
from channelscribe.transcript import Turn

OPTIONS = SpeechOptions(model="sample", device="cpu")


def _turn(start: float, end: float, speaker: str) -> dict[str, Any]:
    return {"start": start, "end": end, "speaker": speaker}


@pytest.mark.speech
def test_windows_are_stitched_by_voice(dialogue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diarizing, "_WINDOW_SECONDS", 20)
    told: list[float] = []
    found = diarize(dialogue.audio[: 40 * 16000], resolve_model(OPTIONS), OPTIONS, told.append)
    assert found["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    assert told == sorted(told)
    wrong, total = diarization_error_rate(
        [Turn(start, min(end, 40), speaker) for start, end, speaker in dialogue.script.speech if start < 40],
        [Turn(**turn) for turn in found["turns"]],
        0.25,
    )
    assert wrong < 0.15 * total


def _near(direction: list[float]) -> list[float]:
    return [*(10 * np.array(direction) + 0.5)]


def test_speakers_keep_their_names_and_new_ones_get_new_ones() -> None:
    stitcher = Stitcher(0.7)
    first = stitcher.add([_turn(0, 5, "a"), _turn(5, 9, "b")], {"a": [1, 0, 0], "b": [0, 1, 0]})
    second = stitcher.add([_turn(0, 5, "x"), _turn(5, 9, "y")], {"x": _near([0, 1, 0]), "y": _near([0, 0, 1])})
    assert second[0]["speaker"] == first[1]["speaker"]
    assert len({turn["speaker"] for turn in [*first, *second]}) == 3
    # who had no clean second of speech resembles nobody
    silent = stitcher.add([_turn(0, 5, "x")], {"x": [float("nan")] * 3})
    assert silent[0]["speaker"] not in {turn["speaker"] for turn in [*first, *second]}


def test_two_speakers_of_one_window_stay_two() -> None:
    stitcher = Stitcher(0.7)
    stitcher.add([_turn(0, 5, "a")], {"a": [1, 0, 0]})
    both = stitcher.add([_turn(0, 5, "x"), _turn(5, 9, "y")], {"x": [1, 0, 0], "y": [1, 0.1, 0]})
    assert both[0]["speaker"] != both[1]["speaker"]


def test_no_more_speakers_than_allowed() -> None:
    stitcher = Stitcher(0.7, most=2)
    seen = stitcher.add([_turn(0, 5, "a")], {"a": [1, 0, 0]})
    seen += stitcher.add([_turn(0, 5, "x"), _turn(5, 9, "y")], {"x": [0, 1, 0], "y": [0, 0, 1]})
    seen += stitcher.add([_turn(0, 5, "x"), _turn(5, 9, "y")], {"x": [-1, 0, 0], "y": [0, 0, -1]})
    assert len({turn["speaker"] for turn in seen}) == 2


def test_a_turn_that_a_border_cut_is_one_again() -> None:
    turns = [_turn(0, 10, "a"), _turn(10, 12, "a"), _turn(11, 13, "b"), _turn(12, 14, "a")]
    assert join_turns(turns, [10.0]) == [_turn(0, 12, "a"), _turn(11, 13, "b"), _turn(12, 14, "a")]
    assert join_turns(turns, []) == turns
