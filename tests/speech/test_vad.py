"""The detector over a track in stretches hears what WhisperX's hears over the whole file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from channelscribe.errors import CorruptMedia
from channelscribe.speech.detector import PyannoteDetector
from channelscribe.speech.engines import prepare_engines
from channelscribe.speech.track import Samples, as_track, open_track
from channelscribe.speech.vad import Activity, chunks, listen, stretches

pytestmark = pytest.mark.speech

STEP, DURATION = 0.016875, 0.0619375


@pytest.fixture(scope="module")
def vad() -> Any:
    """WhisperX's own."""
    prepare_engines()
    from whisperx.vads import Pyannote

    return Pyannote("cpu", vad_onset=0.5, vad_offset=0.363)


def _whisperx_chunks(scores: NDArray[np.float32], longest: float) -> list[tuple[Any, ...]]:
    prepare_engines()
    from pyannote.core import SlidingWindow, SlidingWindowFeature
    from whisperx.vads import Pyannote

    window = SlidingWindow(start=0.0, step=STEP, duration=DURATION)
    found = Pyannote.merge_chunks(SlidingWindowFeature(scores[:, None], window), longest, onset=0.5, offset=0.363)
    return [(chunk["start"], chunk["end"], tuple(chunk["segments"])) for chunk in found]


# shorter than a window, exactly one, one sample more, several whole, several and a rest
@pytest.mark.parametrize("samples", [1, 64_000, 80_000, 80_001, 88_000, 130_000])
def test_scores_are_those_of_the_whole_file(vad: Any, dialogue: Any, samples: int) -> None:
    clip: Samples = dialogue.audio[:samples]
    expected = vad({"waveform": vad.preprocess_audio(clip), "sample_rate": 16000})
    told: list[float] = []
    found = listen(PyannoteDetector(vad.vad_pipeline._segmentation), as_track(clip), told.append)
    assert len(found.scores) == len(expected.data)
    assert np.abs(found.scores - expected.data[:, 0]).max() < 1e-6
    assert found.step == expected.sliding_window.step
    assert told[-1] == 1.0


def test_a_file_and_its_samples_sound_the_same(vad: Any, dialogue: Any, tmp_path: Path) -> None:
    clip = dialogue.audio[:100_000]
    soundfile.write(tmp_path / "clip.flac", (clip * 32768).astype(np.int16), 16000)
    with open_track(tmp_path / "clip.flac") as track:
        part = listen(PyannoteDetector(vad.vad_pipeline._segmentation), track, lambda _: None)
        assert track.samples == len(clip)
        assert np.array_equal(track.read(40_000, 40_100), clip[40_000:40_100])
        assert np.array_equal(track.read(5, 10), clip[5:10])
        assert len(track.read(track.samples - 3, track.samples + 9)) == 3
    whole = listen(PyannoteDetector(vad.vad_pipeline._segmentation), as_track(clip), lambda _: None)
    assert np.array_equal(part.scores, whole.scores)


@pytest.mark.parametrize("wrong", ["not audio", "another rate"])
def test_what_is_no_speech_track_is_told(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "track.flac"
    if wrong == "not audio":
        file.write_bytes(b"nothing of the kind")
    else:
        soundfile.write(file, np.zeros(800, np.float32), 8000)
    with pytest.raises(CorruptMedia), open_track(file):
        pass


def test_chunks_are_those_of_whisperx() -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        frames = int(rng.integers(1, 4000))
        smooth = int(rng.integers(1, 80))
        noise = np.convolve(rng.normal(size=frames + smooth - 1), np.ones(smooth) / smooth**0.5, "valid")
        scores = (1 / (1 + np.exp(-noise - rng.normal()))).astype(np.float32)
        for longest in (5, 15, 30):
            found = chunks(stretches(Activity(scores, STEP, DURATION), 0.5, 0.363, longest), longest, 1e9)
            assert [(chunk.start, chunk.end, chunk.speech) for chunk in found] == _whisperx_chunks(scores, longest)


def test_chunks_end_with_the_audio() -> None:
    found = chunks([(0.0, 4.0), (6.0, 11.0), (12.0, 13.0)], 30, 10.0)
    assert [(chunk.start, chunk.end, chunk.speech_seconds) for chunk in found] == [(0.0, 10.0, 8.0)]
    assert chunks([(12.0, 13.0)], 30, 10.0) == []
