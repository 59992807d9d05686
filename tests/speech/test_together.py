"""Several recordings share batches: each gets what it gets alone, and one that fails fails alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ChannelscribeError, CorruptMedia, LeaseLost, SpeechFailed
from channelscribe.settings import SpeechOptions
from channelscribe.speech import batches as batching
from channelscribe.speech.decoding import decode
from channelscribe.speech.loading import load_recognizer
from channelscribe.speech.recognize import Opener, each_measured, recognize, recognize_all
from channelscribe.speech.registry import ResolvedModel, resolve_model
from channelscribe.speech.track import Samples, SpeechTrack, as_track

pytestmark = pytest.mark.speech

OPTIONS = SpeechOptions(model="sample", device="cpu")


@pytest.fixture(scope="module")
def model() -> ResolvedModel:
    return replace(resolve_model(OPTIONS), batch_size=4, chunk_seconds=6)


@pytest.fixture(scope="module")
def clips(dialogue: Any) -> list[Samples]:
    """Short recordings of one to three chunks, and one in which nobody speaks."""
    spoken = [dialogue.audio[a * SAMPLE_RATE : b * SAMPLE_RATE] for a, b in ((0, 9), (9, 13), (14, 30), (31, 35))]
    return [*spoken[:2], np.zeros(3 * SAMPLE_RATE, np.float32), *spoken[2:]]


@pytest.fixture(scope="module")
def alone(clips: list[Samples], model: ResolvedModel) -> list[dict[str, Any]]:
    return [recognize(clip, model, OPTIONS) for clip in clips]


@pytest.fixture
def batches(model: ResolvedModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many chunks each call of the encoder was given."""
    whisper = load_recognizer(model, OPTIONS).engine.model
    calls: list[int] = []
    real = whisper.encode

    def encode(features: Any) -> Any:
        calls.append(len(features))
        return real(features)

    monkeypatch.setattr(whisper, "encode", encode)
    return calls


class Opened:
    """Openers that count how many recordings are open at once."""

    def __init__(self, clips: list[Samples]) -> None:
        self.clips, self.now, self.most = clips, 0, 0

    def openers(self) -> Iterator[Opener]:
        for clip in self.clips:
            yield lambda clip=clip: self.open(clip)  # type: ignore[misc]

    @contextmanager
    def open(self, clip: Samples) -> Iterator[SpeechTrack]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            yield as_track(clip)
        finally:
            self.now -= 1


def _comparable(answer: dict[str, Any] | ChannelscribeError) -> Any:
    """An answer but for the last digits of what a network tells, which depend on the shape of the batch."""
    assert isinstance(answer, dict), answer
    kept = {key: value for key, value in answer.items() if not key.startswith(("speech", "work_seconds"))}
    return {**kept, "segments": [_approximate(each) for each in answer["segments"]]}


def _approximate(segment: dict[str, Any]) -> dict[str, Any]:
    words = [(word["text"], pytest.approx(word["start"], abs=0.1)) for word in segment["words"]]
    logprob, silence = (pytest.approx(segment[name], abs=0.02) for name in ("avg_logprob", "no_speech_prob"))
    return {**segment, "words": words, "avg_logprob": logprob, "no_speech_prob": silence}


@pytest.mark.parametrize("ahead_by", [0, 1, 2])
def test_each_gets_what_it_gets_alone_in_fewer_batches(
    clips: list[Samples], alone: list[dict[str, Any]], model: ResolvedModel, batches: list[int], ahead_by: int
) -> None:
    opened, told = Opened(clips), []
    found = recognize_all(opened.openers(), model, OPTIONS, lambda *said: told.append(said), ahead_by)
    assert [_comparable(each) for each in found] == [_comparable(each) for each in alone]
    assert sum(batches) == sum(len(each["segments"]) for each in alone) > 4
    assert len(batches) == -(-sum(batches) // 4)
    assert opened.now == 0
    for number in range(len(clips)):
        shares = [share for who, share in told if who == number]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_no_more_are_open_than_a_batch_and_what_is_ahead(clips: list[Samples], model: ResolvedModel) -> None:
    opened = Opened([clip[: 2 * SAMPLE_RATE] for clip in clips * 4])
    assert len(list(recognize_all(opened.openers(), replace(model, batch_size=2), OPTIONS))) == 20
    assert opened.most <= 2 * 2 + 4  # a batch in work, one being made, one recording ahead, and those without speech
    assert opened.now == 0


def test_one_that_cannot_be_opened_read_or_told_of_fails_alone(
    clips: list[Samples], alone: list[dict[str, Any]], model: ResolvedModel
) -> None:
    class Broken:
        samples = len(clips[3])

        def read(self, first: int, last: int) -> Samples:
            if last - first < 5 * SAMPLE_RATE:  # the detector reads more at once than a chunk has
                raise CorruptMedia("It ends in the middle.")
            return clips[3][first:last]

    @contextmanager
    def broken(missing: bool) -> Iterator[SpeechTrack]:
        if missing:
            raise CorruptMedia("It is not there.")
        yield Broken()

    def told(number: int, share: float) -> None:
        if number == 4 and share > 0.2:
            raise LeaseLost("somebody else has it")

    given = list(Opened(clips).openers())
    given[1:2] = [lambda: broken(True), lambda: broken(False)]
    found = list(recognize_all(given, model, OPTIONS, told))
    assert [type(each) for each in found] == [dict, CorruptMedia, CorruptMedia, dict, LeaseLost, dict]
    assert _comparable(found[0]) == _comparable(alone[0])
    assert _comparable(found[5]) == _comparable(alone[4])


def test_an_engine_that_fails_on_one_costs_only_that_one(
    clips: list[Samples], alone: list[dict[str, Any]], model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What CTranslate2 would raise for one recording's chunks, whoever they are with."""
    real = decode

    def fails_on_the_second(decoder: Any, clips: Any, language: Any, size: Any, **more: Any) -> Any:
        if any(clip.owner == 1 for clip in clips):
            raise RuntimeError("no such thing")
        return real(decoder, clips, language, size, **more)

    monkeypatch.setattr(batching, "decode", fails_on_the_second)
    found = list(recognize_all(Opened(clips).openers(), model, OPTIONS))
    assert isinstance(found[1], SpeechFailed)
    assert "no such thing" in found[1].message
    others = [place for place in range(len(clips)) if place != 1]
    assert [_comparable(found[place]) for place in others] == [_comparable(alone[place]) for place in others]


def test_languages_are_each_recordings_own(
    clips: list[Samples], model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample's recognizer knows English only, so the decision is scripted; batches have one language each."""
    from channelscribe.speech.language import Decision

    answers = iter(["en", "de", None, "de", "en"])

    def scripted(*_: Any) -> tuple[Decision | None, dict[Any, Any]]:
        code = next(answers)
        return Decision(code, 0.9, {code: 1.0}, mixed=False) if code else None, {}

    monkeypatch.setattr(batching, "_language", scripted)
    batches: list[tuple[str, int]] = []
    real = decode

    def noted(decoder: Any, clips: Any, language: Any, size: Any, **more: Any) -> Any:
        batches.append((language, len(clips)))
        return real(decoder, clips, language, size, **more)

    monkeypatch.setattr(batching, "decode", noted)
    found = list(recognize_all(Opened(clips).openers(), replace(model, language=None), OPTIONS))
    assert [each["language"] for each in found if isinstance(each, dict)] == ["en", "de", None, "de", "en"]
    # the one without speech has no chunks, and parts nobody
    assert [language for language, _ in groupby(batches, key=lambda batch: batch[0])] == ["en", "de", "en"]
    assert len(batches) == 2 + -(-sum(count for language, count in batches if language == "de") // 4)


def test_whoever_stops_early_leaves_nothing_open(clips: list[Samples], model: ResolvedModel) -> None:
    opened = Opened(clips * 3)
    answers = recognize_all(opened.openers(), model, OPTIONS)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert opened.now == 0


def test_each_answer_tells_what_it_took_and_errors_stay_errors(clips: list[Samples], model: ResolvedModel) -> None:
    def missing() -> Any:
        raise CorruptMedia("It is not there.")

    given = [*Opened(clips[:2]).openers(), missing]
    one, two, error = each_measured(model, recognize_all(given, model, OPTIONS))
    assert isinstance(one, dict)
    assert isinstance(two, dict)
    assert one["made"]["seconds"] > 0
    assert two["made"]["device"] == "cpu"
    assert isinstance(error, CorruptMedia)
