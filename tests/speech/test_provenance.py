"""What made a transcript is told, once, and never decides what is made."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from channelscribe import __version__
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech import align, loading
from channelscribe.speech.assemble import assemble
from channelscribe.speech.loading import Loaded
from channelscribe.speech.provenance import engines, measured, stages
from channelscribe.speech.registry import ResolvedModel, resolve_model
from channelscribe.speech.track import as_track
from channelscribe.transcript import Transcript

MODEL = resolve_model(SpeechOptions(model="sample", device="cpu", threads=3, batch_size=2))


def checkpoints(seconds: float = 2.0) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Three stages of 60 s of audio; nobody was told apart."""
    made = {"seconds": seconds, "load_seconds": 1.0}
    recognition = {"language": "en", "audio_seconds": 60.0, "no_speech": False, "model": {"name": "x"}, "made": made}
    alignment: dict[str, Any] = {"segments": [], "aligner": {"name": "x"}, "made": made}
    return recognition, alignment, {"turns": [], "diarizer": None, "made": made}


def test_a_stage_tells_what_it_took_and_what_ran_it() -> None:
    def work() -> dict[str, Any]:
        time.sleep(0.05)
        return {"turns": []}

    found = measured(MODEL, work)
    made = found["made"]
    assert found["turns"] == []
    assert 0.05 <= made["seconds"] < 60
    assert made["load_seconds"] == 0
    assert (made["device"], made["compute_type"], made["threads"], made["batch_size"]) == ("cpu", "int8", 3, 2)
    assert 10 << 20 < made["peak_rss_bytes"] < 1 << 40
    assert "peak_gpu_bytes" not in made
    assert made["channelscribe"] == __version__
    assert made["engines"] == engines()
    assert json.loads(json.dumps(found)) == found


def test_loading_a_model_is_not_work_on_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_cache", {})
    monkeypatch.setattr(loading, "prepare_engines", lambda: None)
    monkeypatch.setattr(loading, "verify_bundle", lambda: None)

    def work() -> dict[str, Any]:
        for _ in range(2):
            loading._once(("a test",), MODEL, lambda: time.sleep(0.2))
        return {}

    made = measured(MODEL, work)["made"]
    assert made["load_seconds"] >= 0.2
    assert made["seconds"] < made["load_seconds"]


def test_a_failing_stage_fails_as_it_would_without() -> None:
    def work() -> dict[str, Any]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        measured(MODEL, work)


def test_the_factor_is_seconds_of_audio_a_second_of_work() -> None:
    found = stages(*checkpoints(seconds=2.0))
    assert {name: stage.get("real_time_factor") for name, stage in found.items()} == {
        "recognize": 30.0,
        "align": 30.0,
        "diarize": None,  # nothing was run
    }
    assert found["recognize"]["load_seconds"] == 1.0


def test_the_same_checkpoints_are_the_same_transcript_and_old_ones_are_read() -> None:
    parts = checkpoints()
    transcript = assemble(*parts)
    assert set(transcript.stages) == {"recognize", "align", "diarize"}
    assert json.dumps(assemble(*parts).to_dict()) == json.dumps(transcript.to_dict())
    assert Transcript.from_dict(transcript.to_dict()) == transcript

    for part in parts:
        del part["made"]
    assert assemble(*parts).stages == {}


def test_what_a_stage_took_is_in_no_key() -> None:
    """Two machines that differ in all that `made` tells arrive at the same keys."""
    options = SpeechOptions(model="sample")
    elsewhere = replace(MODEL, device="cuda", threads=64, batch_size=16)
    assert elsewhere.fingerprint(options) == MODEL.fingerprint(options)


def test_whisperxs_own_aligner_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align, "default_aligner", lambda language: f"an aligner for {language}")
    options = SpeechOptions(model="small", device="cpu")
    by_aligner = Counter({"aligner": 3, "interpolated": 1})
    found = align._fingerprint(_timing(resolve_model(options), options, "de"), "de", by_aligner)
    assert found is not None
    assert (found["name"], found["model"], found["revision"]) == ("small", "an aligner for de", "main")
    assert align._fingerprint(_timing(MODEL, options, "en"), "en", by_aligner) == MODEL.fingerprint(options)["aligner"]
    spread = align._fingerprint(_timing(MODEL, options, "en"), "en", Counter({"interpolated": 2}))
    assert spread is None


def _timing(model: ResolvedModel, options: SpeechOptions, language: str) -> align._Timing:
    aligners = {language: (Loaded(None), None)}
    return align._Timing(as_track(np.zeros(0, np.float32)), [], model, options, aligners)
