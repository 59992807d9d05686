"""A model's name means something definite, and its fingerprint changes with what changes results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from channelscribe.errors import UnknownModel
from channelscribe.settings import SpeechModel, SpeechOptions
from channelscribe.speech import registry
from channelscribe.speech.registry import BUILT_IN, HUB_DIARIZER, OPEN_DIARIZER, resolve_model


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "gpu_available", lambda: False)


def test_auto_goes_by_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpu, expected in (
        (False, ("small", "cpu", "int8", 4)),
        (True, ("large-v3-turbo", "cuda", "float16", 16)),
    ):
        monkeypatch.setattr(registry, "gpu_available", lambda gpu=gpu: gpu)
        model = resolve_model(SpeechOptions())
        assert (model.name, model.device, model.compute_type, model.batch_size) == expected
        assert model.threads >= 1


def test_options_win_over_auto(no_gpu: None) -> None:
    model = resolve_model(SpeechOptions(device="cuda", compute_type="int8_float16", batch_size=32, threads=3))
    assert (model.name, model.compute_type, model.batch_size, model.threads) == (
        "large-v3-turbo",
        "int8_float16",
        32,
        3,
    )


def test_an_unknown_name_lists_the_known_ones(no_gpu: None) -> None:
    own = {"mine": SpeechModel(recognizer="org/mine")}
    with pytest.raises(UnknownModel) as caught:
        resolve_model(SpeechOptions(model="smal", models=own))
    assert all(name in caught.value.remedy for name in [*BUILT_IN, "mine"])


def test_the_sample_is_whole_and_the_gated_diarizer_needs_a_token(no_gpu: None) -> None:
    sample = resolve_model(SpeechOptions(model="sample"))
    assert sample.bundled
    assert sample.language == "en"
    assert sample.chunk_seconds == 15
    assert sample.aligner
    assert sample.diarizer
    token = SecretStr("hf_x")
    own = {"own": SpeechModel(recognizer="org/own"), "mute": SpeechModel(recognizer="org/own", diarizer=None)}
    for name, without, with_token in (
        *((name, OPEN_DIARIZER, HUB_DIARIZER) for name in ("small", "own")),
        ("mute", None, None),
    ):
        assert resolve_model(SpeechOptions(model=name, models=own)).diarizer == without
        assert resolve_model(SpeechOptions(model=name, models=own, hub_token=token)).diarizer == with_token


def test_own_models_may_replace_built_in_ones(no_gpu: None) -> None:
    options = SpeechOptions(model="sample", models={"sample": SpeechModel(recognizer="org/own")})
    assert not resolve_model(options).bundled


def test_fingerprints_change_with_results_and_with_nothing_else(no_gpu: None) -> None:
    def fingerprint(**options: object) -> str:
        chosen = SpeechOptions.model_validate({"model": "sample"} | options)
        return json.dumps(resolve_model(chosen).fingerprint(chosen), sort_keys=True)

    same = fingerprint()
    for irrelevant in ({"threads": 7}, {"batch_size": 9}, {"hub_token": "hf_x"}, {"batch_minutes": 5}):
        assert fingerprint(**irrelevant) == same
    for relevant in ({"beam_size": 1}, {"vad_onset": 0.6}, {"compute_type": "float32"}, {"max_speakers": 2}):
        assert fingerprint(**relevant) != same
    assert json.loads(fingerprint(diarize=False))["diarizer"] is None


def test_a_folder_is_known_by_its_content(tmp_path: Path, no_gpu: None) -> None:
    def identity(content: str) -> str:
        folder = tmp_path / content
        folder.mkdir()
        (folder / "model.bin").write_text(content)
        options = SpeechOptions(model="own", models={"own": SpeechModel(recognizer=str(folder))})
        recognizer = resolve_model(options).fingerprint(options)["recognizer"]
        assert recognizer
        return str(recognizer["sha256"])

    assert identity("one") != identity("two")


def test_rules_choose_by_device_language_and_length(no_gpu: None) -> None:
    rules = [
        {"model": "medium", "language": "de"},
        {"model": "tiny", "device": "cpu", "longer_than_minutes": 60},
        {"model": "base", "device": "cuda"},
        {"model": "sample", "shorter_than_minutes": 1},
    ]

    def chosen(seconds: float | None = None, **options: object) -> str:
        return resolve_model(SpeechOptions.model_validate({"rules": rules} | options), seconds).name

    assert chosen(language="de") == "medium"
    assert chosen(3600) == "tiny"
    assert chosen(3599) == "small"  # no rule holds
    assert chosen(7200, device="cuda") == "base"
    assert chosen(59) == "sample"
    assert chosen() == "small"  # a length that is not known is no length
    assert chosen(59, model="large-v3") == "large-v3"  # a name is not a rule
    with pytest.raises(UnknownModel):
        resolve_model(SpeechOptions.model_validate({"rules": [{"model": "smal"}]}))


def test_the_language_may_be_told(no_gpu: None) -> None:
    assert resolve_model(SpeechOptions(model="small", language="de")).language == "de"
    assert resolve_model(SpeechOptions(model="small")).language is None


def test_a_model_tells_its_memory(no_gpu: None) -> None:
    assert resolve_model(SpeechOptions(model="small")).memory_bytes == 244_000_000  # int8
    sample = resolve_model(SpeechOptions(model="sample")).memory_bytes
    assert sample
    assert 4_000_000 < sample < 5_000_000
