"""Finds recognizers and aligners: a folder as it is, else the Hugging Face cache, else the hub.

Needs the extra `speech`. Leaves what it fetched in the Hugging Face cache. The network is asked only for what
is not on the disk yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from channelscribe.errors import ModelUnavailable

__all__ = ["aligner", "default_aligner", "model_folder", "pipeline_folder", "recognizer_folder"]

Found = TypeVar("Found")


def recognizer_folder(name: str, revision: str, token: SecretStr | None) -> str:
    """The folder of a CTranslate2 Whisper model, fetched when it is not there; raises the hub's errors."""
    if Path(name).is_dir():
        return name
    from faster_whisper.utils import download_model

    def fetch(local_files_only: bool) -> str:
        return str(
            download_model(name, revision=revision, local_files_only=local_files_only, use_auth_token=_plain(token))
        )

    return _cached_first(fetch)


def default_aligner(language: str) -> str | None:
    """WhisperX's aligner for a language code: a torchaudio bundle or a hub id; None where it has none."""
    from whisperx.alignment import DEFAULT_ALIGN_MODELS_HF, DEFAULT_ALIGN_MODELS_TORCH

    found = DEFAULT_ALIGN_MODELS_TORCH.get(language) or DEFAULT_ALIGN_MODELS_HF.get(language)
    return str(found) if found else None


def aligner(
    name: str, revision: str, language: str, device: str, token: SecretStr | None
) -> tuple[Any, dict[str, Any]]:
    """A wav2vec2 CTC model and WhisperX's metadata for it. `name`: torchaudio bundle, hub id or folder.

    WhisperX's own loader knows no revision and prints its failures, so only torchaudio's bundles go through
    it.
    """
    import torchaudio
    import whisperx

    if name in torchaudio.pipelines.__all__:
        bundle: tuple[Any, dict[str, Any]] = whisperx.load_align_model(language, device, model_name=name)
        return bundle

    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    def fetch(local_files_only: bool) -> tuple[Any, Any]:
        wanted = {"revision": revision, "local_files_only": local_files_only, "token": _plain(token)}
        load_processor: Any = Wav2Vec2Processor.from_pretrained  # not typed
        # weights_only: an older model's pickle is read by torch's restricted unpickler, which runs nothing
        return load_processor(name, **wanted), Wav2Vec2ForCTC.from_pretrained(name, weights_only=True, **wanted)

    processor, network = fetch(True) if Path(name).is_dir() else _cached_first(fetch)
    dictionary = {character.lower(): code for character, code in processor.tokenizer.get_vocab().items()}
    return network.to(device), {"language": language, "dictionary": dictionary, "type": "huggingface"}


def pipeline_folder(name: str, token: SecretStr | None) -> Path:
    """The folder of a pyannote pipeline with its networks, fetched whole when it is not there."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    return Path(_cached_first(lambda local: str(snapshot_download(name, local_files_only=local, token=_plain(token)))))


def model_folder(name: str, revision: str, token: SecretStr | None, files: Sequence[str]) -> Path:
    """A folder with these files of a repository, fetched. Raises ModelUnavailable."""
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, revision=revision, allow_patterns=list(files), token=_plain(token)))
    except Exception as error:  # no network, offline mode, no such model, no access: what to do is the same
        raise ModelUnavailable(
            f"The model {name} is not on this machine, and the hub does not give it ({type(error).__name__}).",
            remedy="Connect this machine to the network for the first run, or name a folder.",
        ) from None


def _cached_first(fetch: Callable[[bool], Found]) -> Found:
    try:
        return fetch(True)
    except OSError:  # LocalEntryNotFoundError and transformers' "not a local folder" are both OSErrors
        return fetch(False)


def _plain(token: SecretStr | None) -> str | None:
    return token.get_secret_value() if token else None
