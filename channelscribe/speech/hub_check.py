"""Can speech models be had from this machine: a folder that is there, a cached model, or the hub's answer.

Loads nothing, torch least of all: what is on the disk is found in milliseconds. Asks the Hugging Face hub only for what
is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from channelscribe.errors import ModelUnavailable
from channelscribe.settings.options import SpeechModel, SpeechOptions
from channelscribe.speech.registry import HUB_DIARIZER, gpu_driver_found, resolve_model

__all__ = ["RECOGNIZERS", "cached_snapshot", "check_model", "check_models", "is_at_hand"]

RECOGNIZERS = {
    **{name: f"Systran/faster-whisper-{name}" for name in ("tiny", "base", "small", "medium", "large-v3")},
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
"""faster-whisper's repositories of our built-in models; importing it to ask would take a second."""

_SECONDS = 10.0
_REMEDY = "Connect this machine to the network for the first run, or set speech.model to a model that is on its disk."


def check_model(options: SpeechOptions) -> None:
    """Raises ModelUnavailable when a part of the model that a run would use can neither be found nor fetched.

    Raises UnknownModel when there is none of its name.
    """
    if find_spec("whisperx") is None:
        raise ModelUnavailable("WhisperX is not installed.", remedy="pip install 'channelscribe[speech]'")
    # Only a driver is looked for: whether torch can use it, and for how many chunks at once, would take seconds.
    device = ("cuda" if gpu_driver_found() else "cpu") if options.device == "auto" else options.device
    model = resolve_model(options.model_copy(update={"device": device, "batch_size": 1}))
    for part in _parts(SpeechModel(**{each: getattr(model, each) for each in ("recognizer", "aligner", "diarizer")})):
        if (part == model.aligner and not options.align) or (part == model.diarizer and not options.diarize):
            continue
        _check(part, model.revision, options.hub_token)


def check_models(options: SpeechOptions) -> None:
    """The same for each model of `options.models`, and the gated one of its token.

    Names that faster-whisper or torchaudio know are taken at their word: the machine that asks may not be the one that
    needs them.
    """
    for entry in options.models.values():
        for part in _parts(entry):
            if part not in RECOGNIZERS:
                _check(part, entry.revision, options.hub_token)
    if options.hub_token:
        _check(HUB_DIARIZER, "main", options.hub_token)


def is_at_hand(name: str, revision: str) -> bool:
    """Whether a model is on this machine already: a folder, or in the Hugging Face cache."""
    if Path(name).is_dir():
        return True
    snapshot = cached_snapshot(RECOGNIZERS.get(name, name), revision)
    weights = ("model.bin",) if name in RECOGNIZERS else ("model.bin", "config.json", "config.yaml")
    return snapshot is not None and any((snapshot / each).is_file() for each in weights)


def _parts(entry: SpeechModel) -> Iterator[str]:
    yield from (part for part in (entry.recognizer, entry.aligner, entry.diarizer) if part)


def _check(name: str, revision: str, token: SecretStr | None) -> None:
    if is_at_hand(name, revision):
        return
    if Path(name).is_absolute():
        raise ModelUnavailable(f"There is no folder {name}.", remedy="Put the model there, or correct the path.")
    repository = RECOGNIZERS.get(name, name)
    if "/" not in repository or find_spec("huggingface_hub") is None:
        return  # a name that faster-whisper or torchaudio knows
    from huggingface_hub import HfApi

    try:
        HfApi(token=token.get_secret_value() if token else None).model_info(
            repository, revision=revision, timeout=_SECONDS
        )
    except Exception as error:
        # Whatever it is (no network, offline mode, no such model, no access), what to do is nearly the same.
        gated = " Or accept the model's conditions with the account of speech.hub_token." if token else ""
        raise ModelUnavailable(
            f"The speech model {name} is not on this machine, and the hub does not give it ({type(error).__name__}).",
            remedy=_REMEDY + gated,
        ) from None


def cached_snapshot(repository: str, revision: str) -> Path | None:
    """Where the cache has it (https://huggingface.co/docs/huggingface_hub/guides/manage-cache)."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub.constants import HF_HUB_CACHE  # this module alone takes milliseconds

    folder = Path(HF_HUB_CACHE, f"models--{repository.replace('/', '--')}")
    try:
        commit = (folder / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        commit = revision
    found = folder / "snapshots" / commit
    return found if found.is_dir() else None
