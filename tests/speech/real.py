"""Real people and real weights, for the tests that ask for them; they are not part of the project.

Recordings lie in `../shared/real-speech` beside the repository or in the folder that REAL_SPEECH names, weights in
`build/real-models` or the folder that REAL_MODELS names (`../shared/tools/real-models DIR` brings them). Where they are
not there a test is skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.settings import SpeechModel, SpeechOptions
from channelscribe.speech.track import Samples
from channelscribe.transcript import Turn

_ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("REAL_SPEECH", _ROOT.parent / "shared" / "real-speech"))
WHISPER = Path(os.environ.get("REAL_MODELS", _ROOT / "build" / "real-models")) / "whisper-base"

needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="../shared/real-speech is not there")
needs_whisper = pytest.mark.skipif(
    not (WHISPER / "model.bin").is_file(), reason="no Whisper base: ../shared/tools/real-models build/real-models"
)


def base(**options: object) -> SpeechOptions:
    """Whisper base, int8, on a CPU."""
    models = {"base-here": SpeechModel(recognizer=str(WHISPER))}
    return SpeechOptions.model_validate({"model": "base-here", "device": "cpu", "models": models, **options})


def samples(name: str) -> Samples:
    """A recording of `../shared/real-speech`, by its path there without ending."""
    audio, rate = soundfile.read(RECORDINGS / f"{name}.flac", dtype="float32")
    assert rate == 16_000
    return audio  # type: ignore[no-any-return]


def turns(name: str) -> list[Turn]:
    """Who speaks when in a recording of `../shared/real-speech`."""
    lines = [line.split() for line in (RECORDINGS / f"{name}.rttm").read_text(encoding="utf-8").splitlines()]
    return [Turn(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in lines if f and f[0] == "SPEAKER"]
