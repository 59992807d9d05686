"""Loads speech models, each once per process, and only files that are what they should be.

Needs the extra `speech`; models that are not on the disk come from the Hugging Face hub on first use. Leaves
the loaded models in this process. pyannote unpickles checkpoints, so the bundled ones and the voice activity
detector inside WhisperX are compared with known checksums first, and others are looked into (`verify`).
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from channelscribe.errors import ChannelscribeError, ModelTampered, ModelUnavailable
from channelscribe.files import sha256_file
from channelscribe.sample import world
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech import hub
from channelscribe.speech.detector import Detector, PyannoteDetector
from channelscribe.speech.engines import prepare_engines, prepare_process
from channelscribe.speech.registry import GE2E, OPEN_DIARIZER, ResolvedModel
from channelscribe.speech.speaker_linking import hasten
from channelscribe.speech.vad import Hearing
from channelscribe.speech.verify import verify_bundle, verify_fetched, verify_own, verify_pipeline

__all__ = [
    "Loaded",
    "Recognizer",
    "load_aligner",
    "load_counts",
    "load_diarizer",
    "load_recognizer",
    "seconds_loading",
    "verified_detector",
]

# whisperx/assets/pytorch_model.bin as WhisperX has shipped it since 2023 (its download address held this
# hash).
_VAD_SHA256 = "0b5b3216d60a2d32fc086b47ea8c67589aaeb26b7e07fcbe620d6d0b83e209ea"


@dataclass
class Loaded:
    """An engine in memory. Hold `lock` while using it."""

    engine: Any
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Recognizer:
    """faster-whisper's model, and the detector of speech: what WhisperX's pipeline consists of."""

    model: Any
    detector: Hearing


_SEED = 0

_lock = threading.Lock()
_cache: dict[Hashable, Loaded] = {}
_failed: dict[Hashable, tuple[ModelUnavailable, float]] = {}
_ASK_AGAIN_SECONDS = 3600  # a time-out for each recording helps nobody; a server that stays up asks again
_counts: Counter[str] = Counter()
_spent = threading.local()


def load_recognizer(model: ResolvedModel, options: SpeechOptions) -> Loaded:
    """The recognizer and the detector of speech, a `Recognizer`; on a CPU without torch, which neither needs there.

    Raises ModelUnavailable (not here and not to be had) and ModelTampered (not the known bytes).
    """

    def load() -> Any:
        checkpoint = verified_detector()
        import ctranslate2
        from faster_whisper import WhisperModel

        # Sampling at a temperature begins alike in every process; threads take their generators from this.
        ctranslate2.set_random_seed(_SEED)
        whisper = WhisperModel(
            hub.recognizer_folder(model.recognizer, model.revision, options.hub_token),
            device=model.device,
            compute_type=model.compute_type,
            cpu_threads=model.threads,
            local_files_only=True,
        )
        return Recognizer(whisper, _detector(checkpoint, model.device))

    key = ("recognizer", model.recognizer, model.revision, model.device, model.compute_type, model.threads)
    return _once(key, model, load)


def _detector(checkpoint: Path, device: str) -> Hearing:
    if device == "cpu":
        return Detector.of(checkpoint)
    from whisperx.vads.pyannote import load_vad_model

    return PyannoteDetector(load_vad_model(device, model_fp=str(checkpoint))._segmentation)


def load_aligner(model: ResolvedModel, language: str, options: SpeechOptions) -> Loaded | None:
    """The pair (wav2vec2 CTC model, WhisperX's metadata) for a language; None where it has no aligner.

    Raises ModelUnavailable and ModelTampered.
    """
    prepare_engines()
    name = model.aligner or hub.default_aligner(language)
    if name is None:
        return None
    # the revision belongs to the model's own aligner, not to WhisperX's choice for the language
    revision = model.revision if model.aligner else "main"
    # a model's own aligner is one, whatever language it is used for
    key = ("aligner", name, revision, None if model.aligner else language, model.device)
    return _once(key, model, lambda: hub.aligner(name, revision, language, model.device, options.hub_token))


def load_diarizer(model: ResolvedModel, options: SpeechOptions) -> Loaded | None:
    """WhisperX's DiarizationPipeline; None where the model has no diarizer.

    Raises ModelUnavailable and ModelTampered.
    """
    if model.diarizer is None:
        return None
    diarizer = model.diarizer

    def load() -> Any:
        checkpoint = verified_detector()  # the sample's diarizer and the open one segment with the same
        from whisperx.diarize import DiarizationPipeline

        if diarizer == OPEN_DIARIZER:
            from channelscribe.speech.open_diarizer import OpenDiarization

            return _hastened(OpenDiarization(checkpoint, model.device), model)

        token = options.hub_token.get_secret_value() if options.hub_token else None
        if not model.bundled:
            folder = hub.pipeline_folder(diarizer, options.hub_token)
            if not Path(diarizer).is_dir():
                verify_fetched(folder, model.sha256, model.name)
            verify_pipeline(folder, model.sha256)
            return _hastened(DiarizationPipeline(model_name=str(folder), token=token, device=model.device), model)
        with tempfile.TemporaryDirectory(prefix="channelscribe-diarizer-") as workdir:
            folder = world.diarizer_folder(Path(workdir))
            return _hastened(DiarizationPipeline(model_name=str(folder), device=model.device), model)

    place = str(GE2E) if diarizer == OPEN_DIARIZER else diarizer  # a folder here may be called as that is
    return _once(("diarizer", place, model.device), model, load)


def _hastened(diarizer: Any, model: ResolvedModel) -> Any:
    hasten(diarizer.model, model.threads if model.device == "cpu" else 0)
    return diarizer


def load_counts() -> dict[str, int]:
    """How often this process loaded a recognizer, an aligner, a diarizer: tests see that once is enough."""
    return dict(_counts)


def seconds_loading() -> float:
    """Wall clock that loading has cost this thread so far: it is no work on any one recording."""
    return float(getattr(_spent, "seconds", 0.0))


def _once(key: tuple[Hashable, ...], model: ResolvedModel, load: Callable[[], Any]) -> Loaded:
    started = time.perf_counter()
    try:
        return _found(key, model, load)
    finally:
        _spent.seconds = seconds_loading() + time.perf_counter() - started


def _found(key: tuple[Hashable, ...], model: ResolvedModel, load: Callable[[], Any]) -> Loaded:
    with _lock:
        if failed := _failed.get(key):
            error, since = failed
            if time.monotonic() - since < _ASK_AGAIN_SECONDS:
                raise error
        if key not in _cache:
            if key[0] == "recognizer" and model.device == "cpu":
                prepare_process()
            else:
                prepare_engines()
            if model.bundled:
                verify_bundle()
            elif Path(str(key[1])).is_dir():
                verify_own(Path(str(key[1])), model.sha256, model.name)
            try:
                _cache[key] = Loaded(load())
            except ModelUnavailable as error:
                _failed[key] = error, time.monotonic()
                raise
            except ChannelscribeError:
                raise
            # The engines raise anything from OSError to AttributeError for a model that cannot be had.
            except Exception as error:
                unavailable = ModelUnavailable(
                    f"The {key[0]} {key[1]!r} cannot be loaded: {_first_line(error)}.",
                    remedy="Check the network and speech.hub_token, or set speech.model to one on this disk.",
                )
                _failed[key] = unavailable, time.monotonic()
                raise unavailable from error
            _counts[str(key[0])] += 1
        return _cache[key]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0][:200]


def verified_detector() -> Path:
    """The detector's checkpoint, once it is known to be the right one."""
    spec = find_spec("whisperx")
    assets = Path(next(iter(spec.submodule_search_locations or []))) if spec else Path()
    checkpoint = assets / "assets" / "pytorch_model.bin"
    if not checkpoint.is_file():
        raise ModelUnavailable(
            "WhisperX was installed without its voice activity detector.", remedy="Install it again."
        )
    if sha256_file(checkpoint) != _VAD_SHA256:
        raise ModelTampered(
            f"{checkpoint} is not the voice activity detector that WhisperX ships.",
            remedy="Install whisperx again from a source you trust.",
        )
    return checkpoint
