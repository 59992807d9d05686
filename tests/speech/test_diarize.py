"""A long recording in windows has the speakers that it has as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from channelscribe.evaluation.metrics import diarization_error_rate
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


def _speakers(stitcher: Stitcher) -> list[str]:
    """The speaker of each turn, by its time."""
    return [turn["speaker"] for turn in sorted(stitcher.turns(), key=lambda turn: float(turn["start"]))]


def test_speakers_keep_their_names_and_new_ones_get_new_ones() -> None:
    stitcher = Stitcher(0.7)
    stitcher.add([_turn(0, 5, "a"), _turn(5, 9, "b")], {"a": [1, 0, 0], "b": [0, 1, 0]})
    stitcher.add([_turn(10, 15, "x"), _turn(15, 19, "y")], {"x": _near([0, 1, 0]), "y": _near([0, 0, 1])})
    # who had no clean second of speech resembles nobody
    stitcher.add([_turn(20, 25, "x")], {"x": [float("nan")] * 3})
    a, b, again, c, silent = _speakers(stitcher)
    assert again == b
    assert len({a, b, c, silent}) == 4


def test_two_speakers_of_one_window_stay_two() -> None:
    stitcher = Stitcher(0.7)
    stitcher.add([_turn(0, 5, "a")], {"a": [1, 0, 0]})
    stitcher.add([_turn(10, 15, "x"), _turn(15, 19, "y")], {"x": [1, 0, 0], "y": [1, 0.1, 0]})
    _, x, y = _speakers(stitcher)
    assert x != y


def test_no_more_speakers_than_allowed() -> None:
    stitcher = Stitcher(0.7, most=2)
    stitcher.add([_turn(0, 5, "a")], {"a": [1, 0, 0]})
    stitcher.add([_turn(10, 15, "x"), _turn(15, 19, "y")], {"x": [0, 1, 0], "y": [0, 0, 1]})
    stitcher.add([_turn(20, 25, "x"), _turn(25, 29, "y")], {"x": [-1, 0, 0], "y": [0, 0, -1]})
    assert len(set(_speakers(stitcher))) == 2


def _alike(least: int | None) -> Stitcher:
    """Three windows with one speaker each: two of them the same, the third like them."""
    stitcher = Stitcher(0.7, least=least)
    stitcher.add([_turn(0, 5, "a")], {"a": [1, 0, 0]})
    stitcher.add([_turn(10, 19, "a")], {"a": [1, 0.4, 0]})
    stitcher.add([_turn(20, 29, "a")], {"a": [1, 0.01, 0]})
    return stitcher


def test_no_fewer_speakers_than_there_are_said_to_be() -> None:
    assert len(set(_speakers(_alike(None)))) == 1
    first, other, third = _speakers(_alike(2))
    assert first == third != other
    assert len(set(_speakers(_alike(3)))) == 3
    assert len(set(_speakers(_alike(9)))) == 3  # more than there are parts: that is for the diarizer to find


@pytest.mark.speech
def test_the_least_number_of_speakers_holds_for_the_whole(dialogue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diarizing, "_WINDOW_SECONDS", 10)
    alone = dialogue.audio[: 6 * 16000]  # the first speaker alone, heard in two windows
    twice = np.concatenate([alone, alone, alone])
    assert len(diarize(twice, resolve_model(OPTIONS), OPTIONS)["speakers"]) == 1
    for least in (2, 3):
        options = OPTIONS.model_copy(update={"min_speakers": least})
        assert len(diarize(twice, resolve_model(options), options)["speakers"]) >= least


def test_a_turn_that_a_border_cut_is_one_again() -> None:
    turns = [_turn(0, 10, "a"), _turn(10, 12, "a"), _turn(11, 13, "b"), _turn(12, 14, "a")]
    assert join_turns(turns, [10.0]) == [_turn(0, 12, "a"), _turn(11, 13, "b"), _turn(12, 14, "a")]
    assert join_turns(turns, []) == turns
