"""Which speech models there are, and what a name means on this machine.

Needs nothing but the options (torch is asked for a GPU only where a driver is there); reads model folders to
fingerprint them; leaves nothing behind. `resolve_model` is to be called where the models will run: "auto"
depends on the device.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from channelscribe.errors import UnknownModel
from channelscribe.files import content_key, sha256_file
from channelscribe.sample import world
from channelscribe.settings.options import SpeechModel, SpeechOptions, SpeechRule
from channelscribe.speech.memory_budget import cores, fitting_batch, weight_bytes

__all__ = [
    "BUILT_IN",
    "GE2E",
    "HUB_DIARIZER",
    "OPEN_DIARIZER",
    "SAMPLE",
    "ResolvedModel",
    "gpu_available",
    "gpu_driver_found",
    "known_models",
    "resolve_model",
]

SAMPLE = "sample"
HUB_DIARIZER = "pyannote/speaker-diarization-community-1"
OPEN_DIARIZER = "open"
GE2E = Path(__file__).parent / "data" / "ge2e.npz"
"""The weights of the open diarizer's voice encoder."""
_OPEN_REVISION = "1"  # raise it when the open diarizer would answer otherwise
_TOLD = ("usual_language", "channels", "task", "hotwords", "initial_prompt", "vocabulary", "suppress_numerals")
_ATTENTION: Mapping[bool | str, dict[str, Any]] = {"attention": {"model": "attention"}}
# /dev/dxg is CUDA under WSL, /dev/nvmap a Jetson.
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap")
_BATCH_SIZE = {"cpu": 4, "cuda": 16}  # on a GPU only where its free memory or the model's size is unknown
_COMPUTE_TYPE = {"cpu": "int8", "cuda": "float16"}
_AUTO_MODEL = {"cpu": "small", "cuda": "large-v3-turbo"}

BUILT_IN: Mapping[str, SpeechModel] = {
    SAMPLE: SpeechModel(
        recognizer=str(world.models_dir() / "whisper.en"),
        language="en",
        aligner=str(world.models_dir() / "align"),
        diarizer=str(world.models_dir() / "diarize"),
        revision="bundled",
        chunk_seconds=15,
    ),
    **{
        name: SpeechModel(recognizer=name) for name in ("tiny", "base", "small", "medium", "large-v3", "large-v3-turbo")
    },
}


@dataclass(frozen=True)
class ResolvedModel:
    """A speech model as it runs here. `bundled`: it is the sample's, so its files have known checksums.

    `language` None: detected. `aligner` None: WhisperX's own choice for the language. `diarizer` None: no
    speakers; OPEN_DIARIZER: the one that needs no token (`open_diarizer`).
    """

    name: str
    recognizer: str
    aligner: str | None
    diarizer: str | None
    language: str | None
    revision: str
    chunk_seconds: int
    device: str
    compute_type: str
    batch_size: int
    threads: int
    bundled: bool = False
    sha256: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def memory_bytes(self) -> int | None:
        """What the recognizer's weights take of the device's memory; None where nothing tells."""
        return weight_bytes(self.recognizer, self.compute_type)

    def fingerprint(self, options: SpeechOptions) -> dict[str, dict[str, Any] | None]:
        """What decides the results, a part for each stage: {"recognizer", "aligner", "diarizer"}, JSON-able.

        A stage that `options` switch off, and a diarizer that the model does not have, is None. Device,
        threads and batch size are left out: they change the time, not the text.
        """
        recognizer = {
            "language": self.language,
            "chunk_seconds": self.chunk_seconds,
            "compute_type": self.compute_type,
            "beam_size": options.beam_size,
            "vad_onset": options.vad_onset,
            "vad_offset": options.vad_offset,
            "vad_step": options.vad_step,
            # Only where they are set: what was made before there were such settings is the same.
            **{
                name: told
                for name in _TOLD
                if (told := getattr(options, name)) != SpeechOptions.model_fields[name].default
            },
            **({"rewrite": dict(sorted(options.rewrite.items()))} if options.rewrite else {}),
        }
        speakers = {
            "min_speakers": options.min_speakers,
            "max_speakers": options.max_speakers,
            "diarize_step": options.diarize_step,
        }
        return {
            "recognizer": self._identity(self.recognizer) | recognizer,
            "aligner": (
                self._identity(self.aligner)
                if options.align is True and options.task == "transcribe"
                else _ATTENTION.get(options.align or False, _ATTENTION["attention"] if options.align else None)
            ),
            "diarizer": self._identity(self.diarizer) | speakers if options.diarize and self.diarizer else None,
        }

    def _identity(self, model: str | None) -> dict[str, Any]:
        # A bundled model is named by its part, so that the same sample elsewhere on the disk is the same
        # model.
        if model == OPEN_DIARIZER:
            return {"name": "open", "model": "ge2e", "revision": _OPEN_REVISION, "sha256": _file_sha256(GE2E)}
        known_as = Path(model).name if self.bundled and model else model
        sha256 = _bundle_sha256() if self.bundled else _folder_sha256(model)
        return {"name": self.name, "model": known_as, "revision": self.revision, "sha256": sha256}


def resolve_model(options: SpeechOptions, seconds: float | None = None) -> ResolvedModel:
    """The model that `options.model` names, with device, compute type, batch size and threads decided.

    `auto` is what the first rule says that holds for the device, the language that is assumed and the `seconds`
    of audio, where they are known; else what suits the device. Raises UnknownModel, which lists the names that
    are known.
    """
    device = options.device if options.device != "auto" else ("cuda" if gpu_available() else "cpu")
    name = options.model if options.model != "auto" else _by_rule(options, device, seconds)
    models = known_models(options)
    if name not in models:
        raise UnknownModel(
            f"There is no speech model {name!r}.",
            remedy=f"Known: {', '.join(sorted(models))}; more can be added under speech.models.",
        )
    entry = models[name]
    compute_type = _COMPUTE_TYPE[device] if options.compute_type == "auto" else options.compute_type
    return ResolvedModel(
        name=name,
        recognizer=entry.recognizer,
        aligner=entry.aligner,
        diarizer=entry.diarizer,
        language=options.language or entry.language,
        revision=entry.revision,
        chunk_seconds=entry.chunk_seconds,
        device=device,
        compute_type=compute_type,
        batch_size=options.batch_size or _batch_size(entry.recognizer, device, compute_type, options.beam_size),
        threads=options.threads or cores(),
        bundled=name == SAMPLE and SAMPLE not in options.models,
        sha256=entry.sha256,
    )


def _by_rule(options: SpeechOptions, device: str, seconds: float | None) -> str:
    holding = (rule.model for rule in options.rules if _holds(rule, device, options.language, seconds))
    return next(holding, _AUTO_MODEL[device])


def _holds(rule: SpeechRule, device: str, language: str | None, seconds: float | None) -> bool:
    if rule.device not in (None, device) or rule.language not in (None, language):
        return False
    if rule.longer_than_minutes is None and rule.shorter_than_minutes is None:
        return True
    if seconds is None:
        return False
    return (rule.longer_than_minutes or 0) * 60 <= seconds < (rule.shorter_than_minutes or float("inf")) * 60


def _batch_size(recognizer: str, device: str, compute_type: str, beams: int) -> int:
    free = _free_memory() if device == "cuda" else None
    return (fitting_batch(recognizer, compute_type, beams, free) if free else None) or _BATCH_SIZE[device]


def _free_memory() -> int | None:
    """Bytes that the GPU has free; None where it cannot be asked."""
    try:
        import torch

        return int(torch.cuda.mem_get_info()[0])
    except (ImportError, RuntimeError, AssertionError):  # torch without CUDA asserts
        return None


def known_models(options: SpeechOptions) -> dict[str, SpeechModel]:
    """The built-in models and those of `options.models`, by name; the latter win.

    The diarizer `auto` is pyannote's, which is gated, where there is a `hub_token` to fetch it with; else the open one.
    """
    diarizer = HUB_DIARIZER if options.hub_token else OPEN_DIARIZER
    return {
        name: entry.model_copy(update={"diarizer": diarizer}) if entry.diarizer == "auto" else entry
        for name, entry in {**BUILT_IN, **options.models}.items()
    }


def gpu_driver_found() -> bool:
    """Whether a driver for a GPU is here. Only Linux tells without torch."""
    return sys.platform == "linux" and any(Path(device).exists() for device in _GPU_DEVICES)


@cache
def gpu_available() -> bool:
    """Whether torch can use a GPU here; without torch False. Drivers are looked for first: torch takes
    seconds.
    """
    if (sys.platform == "linux" and not gpu_driver_found()) or find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def _bundle_sha256() -> str | None:
    checksums = world.models_dir() / world.CHECKSUMS
    return hashlib.sha256(checksums.read_bytes()).hexdigest() if checksums.is_file() else None


@cache
def _file_sha256(path: Path) -> str:
    return sha256_file(path)


@cache
def _folder_sha256(model: str | None) -> str | None:
    """One sha256 over the files of a model folder; None for a hub id, whose identity is its revision."""
    folder = Path(model) if model else None
    if folder is None or not folder.is_dir():
        return None
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return content_key({path.relative_to(folder).as_posix(): sha256_file(path) for path in files})
