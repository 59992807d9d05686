"""Nothing is loaded that is not what it should be, and a missing extra has a remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from channelscribe.errors import ModelTampered, ModelUnavailable
from channelscribe.sample import world
from channelscribe.settings import SpeechOptions
from channelscribe.speech import loading, verify
from channelscribe.speech.engines import prepare_engines
from channelscribe.speech.registry import resolve_model

OPTIONS = SpeechOptions(model="sample", device="cpu")


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A bundle of one file with its checksum, in place of the real one; engines stay out of it."""
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / world.CHECKSUMS).write_text(f"{world.sha256(tmp_path / 'model.bin')}  model.bin\n")
    monkeypatch.setattr(world, "models_dir", lambda: tmp_path)
    monkeypatch.setattr(loading, "prepare_engines", lambda: None)
    monkeypatch.setattr(loading, "_cache", {})
    verify.verify_bundle.cache_clear()
    yield tmp_path
    verify.verify_bundle.cache_clear()


def test_a_whole_bundle_is_taken(bundled: Path) -> None:
    verify.verify_bundle()


def test_a_changed_file_is_never_loaded(bundled: Path) -> None:
    (bundled / "model.bin").write_bytes(b"something else")
    with pytest.raises(ModelTampered, match=r"model\.bin"):
        loading.load_recognizer(resolve_model(OPTIONS), OPTIONS)


def test_an_unknown_file_is_as_bad(bundled: Path) -> None:
    (bundled / "extra.pkl").write_bytes(b"")
    with pytest.raises(ModelTampered, match=r"extra\.pkl"):
        loading.load_diarizer(resolve_model(OPTIONS), OPTIONS)


def test_missing_checksums_are_told(bundled: Path) -> None:
    (bundled / world.CHECKSUMS).unlink()
    with pytest.raises(ModelUnavailable, match="missing"):
        verify.verify_bundle()


def test_another_voice_activity_detector_is_not_unpickled(bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_VAD_SHA256", "0" * 64)
    with pytest.raises(ModelTampered, match="voice activity detector"):
        loading.load_diarizer(resolve_model(OPTIONS), OPTIONS)


def test_without_the_extra_the_remedy_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "whisperx", None)
    prepare_engines.cache_clear()
    with pytest.raises(ModelUnavailable) as caught:
        loading.load_aligner(resolve_model(OPTIONS), "en", OPTIONS)
    assert caught.value.remedy == "pip install 'channelscribe[speech]'"


def test_a_model_that_cannot_be_had_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def unreachable() -> None:
        asked.append(1)
        raise OSError("no route to host")

    monkeypatch.setattr(loading, "prepare_engines", lambda: None)
    monkeypatch.setattr(loading, "_failed", {})
    model = replace(resolve_model(SpeechOptions(model="small", device="cpu")), recognizer="nobody/nothing")
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="no route to host"):
            loading._once(("recognizer", "nobody/nothing"), model, unreachable)
    assert len(asked) == 1
    monkeypatch.setattr(loading, "_ASK_AGAIN_SECONDS", 0)  # later a server that stays up tries again
    with pytest.raises(ModelUnavailable):
        loading._once(("recognizer", "nobody/nothing"), model, unreachable)
    assert len(asked) == 2
