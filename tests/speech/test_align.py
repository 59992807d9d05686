"""Words, sentences and times are WhisperX's own, and what cannot be measured is interpolated and says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ModelUnavailable
from channelscribe.settings import SpeechOptions
from channelscribe.speech import align as aligning
from channelscribe.speech.align import align
from channelscribe.speech.loading import load_aligner
from channelscribe.speech.registry import ResolvedModel, resolve_model
from channelscribe.speech.track import Samples, as_track

pytestmark = pytest.mark.speech

OPTIONS = SpeechOptions(model="sample", device="cpu")


@pytest.fixture(scope="module")
def model() -> ResolvedModel:
    return resolve_model(OPTIONS)


def _segment(start: float, end: float, text: str) -> dict[str, Any]:
    return {"start": start, "end": end, "text": text, "avg_logprob": -0.5}


def _align(audio: Samples, segments: list[dict[str, Any]], model: ResolvedModel) -> dict[str, Any]:
    return align(audio, {"language": "en", "segments": segments}, model, OPTIONS)


def _script_segments(script: Any) -> list[dict[str, Any]]:
    """Two sentences a segment, as the recognizer would give them."""
    said = script.sentences
    return [
        _segment(round(said[i].start, 3), round(said[i + 1].end + 0.2, 3), f"{said[i].text} {said[i + 1].text}")
        for i in range(0, len(said) - 1, 2)
    ]


def test_words_sentences_and_times_are_those_of_whisperx(dialogue: Any, model: ResolvedModel) -> None:
    segments = _script_segments(dialogue.script)
    ours = _align(dialogue.audio, segments, model)
    aligner = load_aligner(model, "en", OPTIONS)
    assert aligner
    import whisperx

    network, metadata = aligner.engine
    metadata = metadata | {"language": "en"}  # another test may have loaded it for another
    theirs = whisperx.align(segments, network, metadata, dialogue.audio, "cpu")["segments"]
    assert [segment["text"] for segment in ours["segments"]] == [segment["text"].strip() for segment in theirs]
    compared = 0
    for mine, other in zip(ours["segments"], theirs, strict=True):
        assert [word["text"] for word in mine["words"]] == [word["word"] for word in other["words"]]
        for word, expected in zip(mine["words"], other["words"], strict=True):
            assert word["aligned"]
            assert (word["start"], word["end"]) == (expected["start"], expected["end"])
            assert word["score"] == pytest.approx(expected["score"], abs=0.0011)
            compared += 1
    assert compared > 80


def test_batches_and_memory_running_out_change_nothing(
    dialogue: Any, model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one stand-in: an error that a machine with enough memory does not raise."""
    segments = _script_segments(dialogue.script)
    alone = _align(dialogue.audio, segments, model)
    monkeypatch.setattr(aligning, "_BATCH", {"cpu": 4})
    assert _align(dialogue.audio, segments, model) == alone
    sizes, real = [], aligning.emissions

    def scarce(network: Any, kind: str, clips: Any, device: str) -> Any:
        sizes.append(len(clips))
        if len(clips) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(network, kind, clips, device)

    monkeypatch.setattr(aligning, "_BATCH", {"cpu": 8})
    monkeypatch.setattr(aligning, "emissions", scarce)
    assert _align(dialogue.audio, segments, model) == alone
    assert max(sizes) > 2
    assert sizes[-1] <= 2


def test_numbers_and_symbols_are_interpolated_and_say_so(dialogue: Any, model: ResolvedModel) -> None:
    said = _script_segments(dialogue.script)[1]
    words = said["text"].split()
    text = " ".join([*words[:4], "1984", "%", *words[4:]])
    found = [w for s in _align(dialogue.audio, [said | {"text": text}], model)["segments"] for w in s["words"]]
    assert [word["text"] for word in found] == text.split()
    assert [word["text"] for word in found if not word["aligned"]] == ["1984", "%"]
    assert [word["score"] for word in found[4:6]] == [None, None]
    assert found[3]["end"] <= found[4]["start"] <= found[5]["start"] <= found[6]["start"]


@pytest.mark.parametrize("text", ["😀 🎉", "1984 ... 50%", "東京", "—"])
def test_a_segment_without_a_letter_keeps_its_words_and_its_time(
    dialogue: Any, model: ResolvedModel, text: str
) -> None:
    found = _align(dialogue.audio, [_segment(1.0, 3.0, text)], model)
    words = [word for part in found["segments"] for word in part["words"]]
    assert [word["text"] for word in words] == text.split()
    assert not any(word["aligned"] for word in words)
    assert all(1.0 <= word["start"] <= word["end"] <= 3.0 for word in words)


def test_more_text_than_frames_and_audio_that_is_not_there_are_spread(dialogue: Any, model: ResolvedModel) -> None:
    end = len(dialogue.audio) / SAMPLE_RATE
    crowded = _segment(1.0, 1.3, "far too many words for so few frames of speech " * 3)
    beyond = _segment(end + 1, end + 2, "after the end")
    found = _align(dialogue.audio, [crowded, beyond, _segment(2.0, 4.0, "Good morning")], model)
    assert found["note"] == "2 of 3 segments could not be aligned"
    assert [any(word["aligned"] for word in part["words"]) for part in found["segments"]] == [False, False, True]
    assert " ".join(part["text"] for part in found["segments"]).split() == [
        *crowded["text"].split(), "after", "the", "end", "Good", "morning"
    ]  # fmt: skip


def test_an_aligner_that_cannot_be_fetched_leaves_a_mark_and_a_chosen_one_is_told(
    dialogue: Any, model: ResolvedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    recognition = {"language": "nl", "segments": [_segment(1.0, 3.0, "goede morgen")]}
    found = align(dialogue.audio, recognition, replace(model, aligner=None, bundled=False), OPTIONS)
    assert found["aligner"] is None
    assert found["note"].startswith("the aligner for the language 'nl' is not to be had")
    assert [word["text"] for word in found["segments"][0]["words"]] == ["goede", "morgen"]
    with pytest.raises(ModelUnavailable):
        align(dialogue.audio, recognition, replace(model, aligner="nobody/nothing", bundled=False), OPTIONS)


def test_a_long_recognition_is_aligned_in_runs(
    dialogue: Any, model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = _script_segments(dialogue.script)
    whole = _align(dialogue.audio, segments, model)
    monkeypatch.setattr(aligning, "_RUN", 2)
    told: list[float] = []
    runs = align(as_track(dialogue.audio), {"language": "en", "segments": segments}, model, OPTIONS, told.append)
    assert runs == whole
    assert told == sorted(told)
    assert told[-1] == 1.0
