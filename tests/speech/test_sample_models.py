"""The bundled models through the whole speech chain, on a dialogue whose script is known. No network, no
stdout.
"""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ModelUnavailable
from channelscribe.evaluation.metrics import (
    median_and_p90,
    word_error_rate,
    word_speaker_matches,
    word_start_errors,
)
from channelscribe.sample.script import Script
from channelscribe.settings import SpeechModel, SpeechOptions
from channelscribe.speech.align import align
from channelscribe.speech.assemble import assemble
from channelscribe.speech.diarize import diarize
from channelscribe.speech.loading import load_aligner, load_counts, load_recognizer
from channelscribe.speech.recognize import recognize
from channelscribe.speech.registry import ResolvedModel, resolve_model
from channelscribe.transcript import Word

pytestmark = pytest.mark.speech

OPTIONS = SpeechOptions(model="sample", device="cpu")


@dataclass
class Stages:
    """What each stage returned for the dialogue, the progress it told, and what was printed meanwhile."""

    audio: NDArray[np.float32]
    script: Script
    recognition: dict[str, Any]
    alignment: dict[str, Any]
    diarization: dict[str, Any]
    progress: dict[str, list[float]]
    stdout: str


@pytest.fixture(scope="module")
def model() -> ResolvedModel:
    return resolve_model(OPTIONS)


@pytest.fixture(scope="module")
def offline() -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("the bundled models must not ask the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture(scope="module")
def stages(model: ResolvedModel, offline: None, dialogue: Any) -> Stages:
    audio = dialogue.audio
    told: dict[str, list[float]] = {"recognize": [], "align": [], "diarize": []}
    with redirect_stdout(io.StringIO()) as printed:
        recognition = recognize(audio, model, OPTIONS, told["recognize"].append)
        alignment = align(audio, recognition, model, OPTIONS, told["align"].append)
        diarization = diarize(audio, model, OPTIONS, told["diarize"].append)
    return Stages(audio, dialogue.script, recognition, alignment, diarization, told, printed.getvalue())


def test_what_is_said_is_recognized(stages: Stages) -> None:
    recognition = stages.recognition
    heard = " ".join(segment["text"] for segment in recognition["segments"])
    assert word_error_rate(stages.script.text, heard).rate < 0.1
    assert recognition["language"] == "en"
    assert recognition["no_speech"] is False
    assert 30 < recognition["speech_seconds"] <= recognition["audio_seconds"]
    assert recognition["audio_seconds"] == pytest.approx(len(stages.audio) / SAMPLE_RATE, abs=0.001)
    assert recognition["model"]["name"] == "sample"
    assert all(segment["end"] - segment["start"] <= 16 for segment in recognition["segments"])


def test_alignment_keeps_every_word_and_times_it_well(stages: Stages) -> None:
    words = [word for segment in stages.alignment["segments"] for word in segment["words"]]
    recognized = " ".join(segment["text"] for segment in stages.recognition["segments"])
    assert [word["text"] for word in words] == recognized.split()
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert sum(word["aligned"] for word in words) > 0.9 * len(words)
    for segment in stages.alignment["segments"]:
        assert segment["text"].split() == [word["text"] for word in segment["words"]]
        assert segment["start"] <= segment["words"][0]["start"]
        assert segment["words"][-1]["end"] <= segment["end"]
    transcript = assemble(stages.recognition, stages.alignment, stages.diarization)
    median, p90 = median_and_p90(word_start_errors(stages.script.words, transcript.words))
    assert median < 0.05
    assert p90 < 0.15


def test_speakers_are_told_apart(stages: Stages) -> None:
    assert stages.diarization["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    transcript = assemble(stages.recognition, stages.alignment, stages.diarization)
    right, compared = word_speaker_matches(stages.script.words, transcript.words)
    assert right > 0.9 * compared
    assert transcript.words[0].speaker == "SPEAKER_00"
    assert transcript.text.split() == [word.text for word in transcript.words]
    assert transcript.models["diarizer"] == stages.diarization["diarizer"]


def test_every_stage_tells_its_progress_and_prints_nothing(stages: Stages) -> None:
    for told in stages.progress.values():
        assert told == sorted(told)
        assert told[-1] == pytest.approx(1.0)
    assert stages.stdout == ""


def test_pyannote_sends_no_telemetry(stages: Stages) -> None:
    from pyannote.audio.telemetry.metrics import is_metrics_enabled

    assert not is_metrics_enabled()


def test_models_load_once(stages: Stages, model: ResolvedModel) -> None:
    before = load_counts()
    assert all(before[kind] for kind in ("recognizer", "aligner", "diarizer"))
    assert load_recognizer(model, OPTIONS) is load_recognizer(model, OPTIONS)
    assert load_counts() == before


def test_silence_never_reaches_the_recognizer(
    stages: Stages, model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_recognizer(model, OPTIONS).engine.model, "encode", pytest.fail)
    for seconds in (0, 0.01, 5):
        silence = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
        recognition = recognize(silence, model, OPTIONS)
        assert recognition["no_speech"]
        assert recognition["segments"] == []
        alignment = align(silence, recognition, model, OPTIONS)
        assert (alignment["segments"], alignment["aligner"], alignment["note"]) == ([], None, None)
        assert assemble(recognition, alignment, {"turns": []}).no_speech
        if seconds < 1:
            assert diarize(silence, model, OPTIONS)["turns"] == []


def test_threads_do_not_disturb_each_other(stages: Stages, model: ResolvedModel) -> None:
    clip = stages.audio[: 6 * SAMPLE_RATE]
    heard: list[Any] = []
    threads = [
        threading.Thread(target=lambda: heard.append(recognize(clip, model, OPTIONS)["segments"])) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 2
    assert heard[0] == heard[1]
    assert heard[0]


def test_one_chunk_at_a_time_says_the_same(stages: Stages, model: ResolvedModel) -> None:
    clip = stages.audio[: 6 * SAMPLE_RATE]
    one = recognize(clip, replace(model, batch_size=1), OPTIONS)["segments"]
    assert [segment["text"] for segment in one] == [
        segment["text"] for segment in recognize(clip, model, OPTIONS)["segments"]
    ]


def test_without_an_aligner_the_recognizer_times_the_words(stages: Stages, model: ResolvedModel) -> None:
    foreign = stages.recognition | {"language": "xx"}
    without = align(stages.audio, foreign, replace(model, aligner=None), OPTIONS)
    chosen = align(stages.audio, stages.recognition, model, OPTIONS.model_copy(update={"align": "attention"}))
    assert (without["note"], chosen["note"]) == ("no aligner for the language 'xx'", None)
    for alignment in (without, chosen):
        transcript = assemble(stages.recognition, alignment, stages.diarization)
        assert transcript.models["aligner"]["model"] == "attention"
        assert alignment["quality"]["timed"] == {"attention": len(transcript.words)}
        assert not any(word.aligned for word in transcript.words)
        median, p90 = median_and_p90(word_start_errors(stages.script.words, transcript.words))
        assert median < 0.06
        assert p90 < 0.25
        assert all(_is_near(word, stages.recognition["speech"], 0.2) for word in transcript.words)
        assert all(later.start - word.end < 1 for part in transcript.segments for word, later in pairwise(part.words))


def test_words_that_nobody_timed_are_spread_over_the_speech(stages: Stages, model: ResolvedModel) -> None:
    off = align(stages.audio, stages.recognition, model, OPTIONS.model_copy(update={"align": False}))
    assert (off["aligner"], off["note"]) == (None, "alignment is switched off")
    assert off["quality"]["coverage"] is None
    transcript = assemble(stages.recognition, off, stages.diarization)
    assert {(word.aligned, word.score) for word in transcript.words} == {(False, None)}
    assert all(_is_near(word, stages.recognition["speech"], 0.01) for word in transcript.words)
    assert len(transcript.segments) > 2 * len(stages.recognition["segments"])  # sentences, not chunks
    assert transcript.text.split() == " ".join(part["text"] for part in stages.recognition["segments"]).split()


def _is_near(word: Word, speech: Any, seconds: float) -> bool:
    return any(start - seconds <= word.start and word.end <= end + seconds for start, end in speech)


def test_a_segment_that_cannot_be_aligned_costs_only_its_own_times(stages: Stages, model: ResolvedModel) -> None:
    # 10 ms are too short for the aligner, whose network says so
    first, second = (
        {"start": a, "end": b, "text": "Good morning", "avg_logprob": -1.0} for a, b in ((0, 0.01), (2, 4))
    )
    alignment = align(stages.audio, {"language": "en", "segments": [first, second]}, model, OPTIONS)
    assert [all(word["aligned"] for word in segment["words"]) for segment in alignment["segments"]] == [False, True]
    assert alignment["note"] == "1 of 2 segments could not be aligned"


def test_numbers_symbols_and_odd_spacing_lose_no_word(stages: Stages, model: ResolvedModel) -> None:
    for text in ("50% of $3 — 12,5 & ½ …", "Dr. Brooks left. ... ! Yes?", "東京 is far", "Mr. A. b.c. D"):
        segment = {"start": 1.0, "end": 9.0, "text": text, "avg_logprob": -1.0}
        alignment = align(stages.audio, {"language": "en", "segments": [segment]}, model, OPTIONS)
        words = [word for part in alignment["segments"] for word in part["words"]]
        assert [word["text"] for word in words] == text.split()
        assert all(1.0 <= word["start"] <= word["end"] <= 9.0 for word in words)


def test_a_hub_model_that_cannot_be_had_says_so_in_one_line(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    entry = SpeechModel(recognizer="nobody/nothing", aligner="nobody/nothing", language="en")
    options = SpeechOptions(model="own", models={"own": entry})
    with pytest.raises(ModelUnavailable) as caught:
        load_recognizer(resolve_model(options), options)
    assert "nobody/nothing" in caught.value.message
    assert "hub_token" in caught.value.remedy
    with pytest.raises(ModelUnavailable):
        load_aligner(resolve_model(options), "en", options)
