"""The real recognizer on sound that is not what it expects: no text is lost, nothing raises, doubts are told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import OutOfMemory
from channelscribe.evaluation.metrics import word_error_rate
from channelscribe.settings import SpeechOptions
from channelscribe.speech.align import align
from channelscribe.speech.assemble import assemble
from channelscribe.speech.diarize import diarize
from channelscribe.speech.loading import load_recognizer
from channelscribe.speech.recognize import recognize
from channelscribe.speech.registry import ResolvedModel, resolve_model
from channelscribe.speech.track import Samples, open_track
from channelscribe.transcript import Transcript

pytestmark = pytest.mark.speech

OPTIONS = SpeechOptions(model="sample", device="cpu")


@pytest.fixture(scope="module")
def model() -> ResolvedModel:
    return resolve_model(OPTIONS)


@pytest.fixture(scope="module")
def heard(dialogue: Any, model: ResolvedModel) -> dict[str, Any]:
    with open_track(dialogue.path) as track:
        return recognize(track, model, OPTIONS)


@pytest.fixture
def encodes(model: ResolvedModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many stretches each call of the encoder was given."""
    whisper = load_recognizer(model, OPTIONS).engine.model
    calls: list[int] = []
    real = whisper.encode
    monkeypatch.setattr(whisper, "encode", lambda features: calls.append(len(features)) or real(features))
    return calls


def _transcribe(audio: Samples, model: ResolvedModel, options: SpeechOptions = OPTIONS) -> Transcript:
    recognition = recognize(audio, model, options)
    return assemble(recognition, align(audio, recognition, model, options), diarize(audio, model, options))


def _seconds(seconds: float) -> Any:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def test_a_file_in_stretches_is_recognized_as_well_as_ever(dialogue: Any, heard: dict[str, Any]) -> None:
    text = " ".join(segment["text"] for segment in heard["segments"])
    assert word_error_rate(dialogue.script.text, text).rate < 0.02  # int8 rounds otherwise on another CPU
    assert not any(segment["flags"] for segment in heard["segments"])
    assert heard["quality"]["decoded_again"] == heard["quality"]["flagged"] == 0
    assert heard["speech_seconds"] == pytest.approx(sum(b - a for a, b in heard["speech"]), abs=0.01)


def test_words_cover_the_speech(dialogue: Any, heard: dict[str, Any], model: ResolvedModel) -> None:
    alignment = align(dialogue.audio, heard, model, OPTIONS)
    assert alignment["quality"]["coverage"] > 0.98
    assert alignment["quality"]["gaps"] == []
    halved = align(dialogue.audio, heard | {"segments": heard["segments"][::2]}, model, OPTIONS)
    assert halved["quality"]["coverage"] < 0.8
    assert halved["quality"]["gaps"]
    quality = assemble(heard, halved, {"turns": []}).quality
    assert quality["coverage"] == halved["quality"]["coverage"]
    assert quality["speech"] == heard["speech"]


@pytest.mark.parametrize("sound", ["silence", "music", "noise", "nothing", "a tenth of a second of silence"])
def test_without_speech_the_recognizer_is_not_asked(sound: str, model: ResolvedModel, encodes: list[int]) -> None:
    at, rng = _seconds(5), np.random.default_rng(0)
    chord = [0.1 * np.sin(2 * np.pi * f * at) * (np.sin(4 * np.pi * at + f) > 0) for f in (220, 277, 330, 440)]
    audio = {
        "silence": np.zeros(5 * SAMPLE_RATE),
        "music": np.sum(chord, axis=0),
        "noise": rng.normal(0, 0.1, 5 * SAMPLE_RATE),
        "nothing": np.zeros(0),
        "a tenth of a second of silence": np.zeros(SAMPLE_RATE // 10),
    }[sound].astype(np.float32)
    transcript = _transcribe(audio, model)
    assert (transcript.no_speech, transcript.text, transcript.segments) == (True, "", [])
    assert encodes == []


def test_a_tenth_of_a_second_of_speech_is_kept(dialogue: Any, model: ResolvedModel) -> None:
    transcript = _transcribe(dialogue.audio[SAMPLE_RATE : SAMPLE_RATE + 1600], model)
    assert transcript.duration == 0.1
    assert all(0 <= word.start <= word.end <= 0.1 for word in transcript.words)
    assert transcript.quality["unheard"] or transcript.segments


def test_a_track_that_was_8_khz_is_transcribed(dialogue: Any, model: ResolvedModel) -> None:
    telephone = np.interp(
        np.arange(9 * SAMPLE_RATE), np.arange(0, 9 * SAMPLE_RATE, 2), dialogue.audio[: 9 * SAMPLE_RATE : 2]
    )
    words = _transcribe(telephone.astype(np.float32), model).words
    assert len(words) > 10
    assert any(word.aligned for word in words)


def test_what_cannot_be_understood_is_tried_again_kept_and_flagged(dialogue: Any, model: ResolvedModel) -> None:
    slow = np.interp(np.arange(0, 6 * SAMPLE_RATE, 0.5), np.arange(6 * SAMPLE_RATE), dialogue.audio[: 6 * SAMPLE_RATE])
    audio = slow.astype(np.float32)
    recognition = recognize(audio, model, OPTIONS)
    assert recognition["quality"]["decoded_again"] >= 1
    assert recognition["quality"]["flagged"] == sum(bool(segment["flags"]) for segment in recognition["segments"])
    transcript = assemble(recognition, align(audio, recognition, model, OPTIONS), {"turns": []})
    flagged = {flag for segment in transcript.segments for flag in segment.flags}
    assert flagged == {flag for segment in recognition["segments"] for flag in segment["flags"]}
    assert Transcript.from_dict(transcript.to_dict()) == transcript


def test_speech_without_text_is_not_forgotten(
    dialogue: Any, heard: dict[str, Any], model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recognizer that says nothing, which this one never does: its answers are emptied."""
    from channelscribe.speech import decoding

    real = decoding.Decoder._read
    monkeypatch.setattr(decoding.Decoder, "_read", lambda self, *given: replace(real(self, *given), text=""))
    silent = recognize(dialogue.audio[: 9 * SAMPLE_RATE], model, OPTIONS)
    assert silent["segments"] == []
    assert silent["no_speech"] is False
    assert silent["quality"]["unheard"]
    assert silent["quality"]["flagged"] == len(silent["quality"]["unheard"])


def test_the_wrong_language_loses_no_text(dialogue: Any, model: ResolvedModel) -> None:
    options = OPTIONS.model_copy(update={"language": "de"})
    clip = dialogue.audio[: 9 * SAMPLE_RATE]
    transcript = _transcribe(clip, resolve_model(options), options)
    assert transcript.language == "de"
    assert len(transcript.words) > 10
    assert all(0 <= word.start <= word.end <= 9 for word in transcript.words)


def test_the_language_is_decided_on_several_windows_of_speech(
    dialogue: Any, model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample's recognizer knows English only, so what CTranslate2 would answer is scripted; the rest is real."""
    from channelscribe.speech import batches
    from channelscribe.speech.track import as_track
    from channelscribe.speech.vad import Chunk

    whisper = load_recognizer(model, OPTIONS).engine.model
    answers = iter([("<|fr|>", "<|en|>"), ("<|en|>", "<|fr|>"), ("<|en|>", "<|fr|>")])
    heard: list[int] = []

    class Multilingual:
        is_multilingual = True

        def detect_language(self, encoded: Any) -> list[list[tuple[str, float]]]:
            heard.append(encoded.shape[0])
            return [[(first, 0.9), (second, 0.1)] for first, second in (next(answers) for _ in range(encoded.shape[0]))]

    stand_in = SimpleNamespace(model=Multilingual(), encode=whisper.encode, feature_extractor=whisper.feature_extractor)
    found = [Chunk(10.0 * i, 10.0 * i + 9, ((10.0 * i, 10.0 * i + 9),)) for i in range(6)]
    few = replace(model, language=None, batch_size=2)
    recording = batches.Recording(0, chunks=found)
    decision, kept = batches._language(stand_in, as_track(dialogue.audio), recording, few, None, lambda _: None)
    assert len(kept) == 3  # their features are not made again
    assert decision
    assert (decision.language, decision.mixed) == ("en", True)
    assert heard == [2, 1]
    told = batches._language(stand_in, as_track(dialogue.audio), recording, model, None, lambda _: None)
    assert told == (None, {})  # it is known


def test_when_memory_runs_out_the_batch_is_halved_and_nothing_is_lost(
    dialogue: Any, heard: dict[str, Any], model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one stand-in here: the error that CTranslate2 raises on a full GPU, once."""
    whisper = load_recognizer(model, OPTIONS).engine.model
    sizes, real = [], whisper.encode

    def scarce(features: Any) -> Any:
        sizes.append(len(features))
        if len(sizes) == 1:
            raise RuntimeError("CUDA failed with error out of memory")
        return real(features)

    monkeypatch.setattr(whisper, "encode", scarce)
    again = recognize(dialogue.audio, replace(model, batch_size=4), OPTIONS)
    assert [segment["text"] for segment in again["segments"]] == [segment["text"] for segment in heard["segments"]]
    assert sizes[:2] == [4, 2]
    assert max(sizes[1:]) == 2

    monkeypatch.setattr(whisper, "encode", lambda _: (_ for _ in ()).throw(RuntimeError("CUDA out of memory")))
    with pytest.raises(OutOfMemory) as caught:  # the machine's: it stops the run and marks no video
        recognize(dialogue.audio[: 9 * SAMPLE_RATE], model, OPTIONS)
    assert "speech.device" in caught.value.remedy
