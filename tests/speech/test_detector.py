"""The detector of speech without torch is WhisperX's: the same scores, and no engine is imported for it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from channelscribe.settings import SpeechOptions
from channelscribe.speech.detector import PyannoteDetector
from channelscribe.speech.engines import prepare_engines
from channelscribe.speech.loading import load_recognizer, verified_detector
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.track import as_track
from channelscribe.speech.vad import listen

pytestmark = pytest.mark.speech

OPTIONS = SpeechOptions(model="sample", device="cpu")


def test_its_scores_are_those_of_the_network(dialogue: Any) -> None:
    prepare_engines()
    from whisperx.vads.pyannote import load_vad_model

    clip = as_track(dialogue.audio[:200_000])
    own = load_recognizer(resolve_model(OPTIONS), OPTIONS).engine.detector
    theirs = PyannoteDetector(load_vad_model("cpu", model_fp=str(verified_detector()))._segmentation)
    one, other = (listen(each, clip, lambda _: None, 2, 0.5) for each in (own, theirs))
    assert (one.step, one.duration) == (other.step, other.duration)
    assert len(one.scores) == len(other.scores)
    assert np.abs(one.scores - other.scores).max() < 0.01
    assert one.scores.max() > 0.9 > 0.1 > one.scores.min()


def test_a_recognition_on_a_cpu_imports_no_torch() -> None:
    said = """
import sys
import numpy as np
from channelscribe.settings import SpeechOptions
from channelscribe.speech.recognize import recognize
from channelscribe.speech.registry import resolve_model
options = SpeechOptions(model="sample", device="cpu")
rng = np.random.default_rng(0)
recognize(rng.normal(0, 0.1, 32000).astype(np.float32), resolve_model(options), options)
print(sorted({"torch", "whisperx", "pyannote.audio", "transformers"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
