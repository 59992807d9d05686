"""Can the models of a registry be had from this machine: a folder that is there, a cached model, or the hub's answer.

Loads nothing. Asks the Hugging Face hub only for what is not on this machine.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from channelscribe.errors import ModelUnavailable
from channelscribe.settings.options import SpeechOptions

__all__ = ["check_models"]

_GATED = "pyannote/speaker-diarization-community-1"
_SECONDS = 10.0


def check_models(options: SpeechOptions) -> None:
    """Raises ModelUnavailable for the first model of `options.models`, or the gated one of its token, that cannot be
    had.
    """
    wanted = [
        (part, entry.revision)
        for entry in options.models.values()
        for part in (entry.recognizer, entry.aligner, entry.diarizer)
        if part
    ]
    if options.hub_token:
        wanted.append((_GATED, "main"))
    for name, revision in wanted:
        _check(name, revision, options.hub_token)


def _check(name: str, revision: str, token: SecretStr | None) -> None:
    path = Path(name)
    if path.is_dir() or (not path.is_absolute() and "/" not in name):
        return  # a folder, or a name that faster-whisper or torchaudio knows
    if path.is_absolute():
        raise ModelUnavailable(f"There is no folder {name}.", remedy="Put the model there, or correct the path.")
    if find_spec("huggingface_hub") is None:
        return
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str):
        return
    plain = token.get_secret_value() if token else None
    try:
        HfApi(token=plain).model_info(name, revision=revision, timeout=_SECONDS)
    except Exception as error:
        # Whatever it is (no network, offline mode, no such model, no access), the remedy is the same.
        raise ModelUnavailable(
            f"The hub does not give {name} ({type(error).__name__}).",
            remedy="Check its name, the network, and that the token's account accepted the model's conditions.",
        ) from None
