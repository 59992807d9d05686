"""Ten hours: every stage reads its stretches and no more, whatever the length. No network is run."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.settings import SpeechOptions
from channelscribe.speech import diarize as diarizing
from channelscribe.speech.decoding import clip_of, decode
from channelscribe.speech.loading import Loaded
from channelscribe.speech.quality_gate import Decoded
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.track import Samples
from channelscribe.speech.vad import chunks, listen, stretches

HOURS = 10
SECONDS = HOURS * 3600
FRAMES = 25  # of a window of 5 s, one every 0.2 s


class Sparse:
    """Ten hours of silence in which somebody speaks for ten seconds every half hour; made as it is read."""

    samples = SECONDS * SAMPLE_RATE

    def __init__(self) -> None:
        self.largest = 0

    def read(self, first: int, last: int) -> Samples:
        last = min(last, self.samples)
        self.largest = max(self.largest, last - first)
        at = np.arange(first, last, dtype=np.int64) // SAMPLE_RATE % 1800
        return np.where((at >= 100) & (at < 110), np.float32(0.5), np.float32(0.0))


class Detector:
    """Answers how loud each frame is."""

    duration, step = 5.0, 5.0
    frames = SimpleNamespace(step=0.2, duration=0.2)

    def infer(self, windows: Any) -> Any:
        loud = np.abs(windows).reshape(len(windows), FRAMES, -1).mean(axis=2)
        return np.minimum(loud * 2, 1.0).astype(np.float32)


class Silent:
    """A decoder that is asked for its batches only."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.rewrite: dict[str, str] = {}

    def hear(self, features: Sequence[Any]) -> Any:
        self.asked.append(len(features))
        return np.zeros((len(features), 1))

    def decode(self, encoded: Any, count: int) -> list[Decoded]:
        return [Decoded("ten seconds of words that somebody says here and there", -0.1, 0.0)] * count

    def attended(self, encoded: Any, said: Sequence[Decoded], clips: Any) -> list[Any]:
        return [[]] * len(said)


@pytest.mark.long
@pytest.mark.speech
def test_ten_hours_are_heard_and_decoded_in_stretches() -> None:
    track = Sparse()
    activity = listen(Detector(), track, lambda _: None)
    found = chunks(stretches(activity, 0.5, 0.363, 30), 30, SECONDS)
    assert len(found) == 2 * HOURS
    assert [round(chunk.start) for chunk in found[:2]] == [100, 1900]
    assert activity.scores.nbytes < 1_000_000 * HOURS
    from faster_whisper.feature_extractor import FeatureExtractor

    whisper = SimpleNamespace(feature_extractor=FeatureExtractor())
    decoder: Any = Silent()
    clips = [clip_of(whisper, track, chunk) for chunk in found[:5]]
    said = list(decode(decoder, clips, "en", 4))
    assert (len(said), decoder.asked) == (5, [4, 1])
    assert track.largest <= 160 * SAMPLE_RATE + 5 * SAMPLE_RATE


@pytest.mark.long
@pytest.mark.speech
def test_ten_hours_are_diarized_in_windows() -> None:
    import pandas  # type: ignore[import-untyped]

    track, lengths = Sparse(), []

    class Engine:
        """Answers as `whisperx.diarize.DiarizationPipeline` does: one speaker, the same in each window."""

        model = SimpleNamespace(
            parameters=lambda instantiated: {"clustering": {"threshold": 0.7}},
            _segmentation=SimpleNamespace(duration=10.0, step=1.0),
        )

        def __call__(self, audio: Samples, **_: Any) -> Any:
            lengths.append(len(audio))
            turn = {"start": [1.0], "end": [2.0], "speaker": ["SPEAKER_00"]}
            return pandas.DataFrame(turn), {"SPEAKER_00": [1.0, 0.0]}

    options = SpeechOptions(model="sample", device="cpu")
    turns = diarizing._turns(track, Loaded(Engine()), options, None)
    assert len(lengths) == len(turns) == SECONDS // diarizing._WINDOW_SECONDS
    assert max(lengths) <= 1.5 * diarizing._WINDOW_SECONDS * SAMPLE_RATE
    assert {turn["speaker"] for turn in turns} == {"SPEAKER_00"}
    assert resolve_model(options).diarizer
