"""Makes WhisperX, pyannote and transformers good company before they are imported.

Needs the extra `speech`. `prepare_engines` leaves behind: no telemetry, no lines on stdout, engine messages
in `logging`, sentence splitting from our own Punkt (WhisperX would download NLTK data at run time), and an allocator
that keeps what it freed.
"""

from __future__ import annotations

import ctypes
import logging
import os
import warnings
from functools import cache

from channelscribe.errors import ModelUnavailable
from channelscribe.text.punkt import sentence_tokenizer

__all__ = ["prepare_engines", "prepare_process"]

_ENGINE_LOGGERS = (
    *("whisperx", "faster_whisper", "transformers", "pyannote"),
    *("lightning", "lightning.pytorch", "lightning.fabric"),
)


@cache
def prepare_process() -> None:
    """What holds for all engines, before any of them is imported. Raises ModelUnavailable without faster-whisper."""
    # pyannote reads its switch from the environment when it is imported, and its default is to send.
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _keep_memory()
    _quiet()
    try:
        import faster_whisper
    except ImportError as error:
        raise _missing(error) from error
    del faster_whisper


def _missing(error: ImportError) -> ModelUnavailable:
    return ModelUnavailable(
        f"The speech engine cannot be imported ({error}).", remedy="pip install 'channelscribe[speech]'"
    )


@cache
def prepare_engines() -> None:
    """Imports WhisperX quietly, once. Raises ModelUnavailable where the extra `speech` is not installed."""
    prepare_process()
    try:
        import whisperx.alignment
        import whisperx.asr
    except ImportError as error:
        raise _missing(error) from error
    _quiet()  # lightning and transformers set their own levels while they are imported
    whisperx.alignment.nltk_load = _punkt_by_resource


_MALLOPT = {-8: 1, -3: 32 << 20, -1: 1 << 30}
"""M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD (malloc.h of glibc)."""


def _keep_memory() -> None:
    """Have glibc keep what tensors gave back, which are of the same sizes again and again: 11 to 17 % less CPU time.

    A fixed trim threshold alone stops glibc from raising the size above which it maps memory anew for every
    allocation, so tensors would be mapped and unmapped all the time (mallopt(3), M_MMAP_THRESHOLD).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; others have none
    if mallopt is not None and not any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        for parameter, value in _MALLOPT.items():
            mallopt(parameter, value)


def _quiet() -> None:
    for name in _ENGINE_LOGGERS:
        logger = logging.getLogger(name)
        # WhisperX writes to stdout unless its logger already has a handler.
        logger.handlers = [logging.NullHandler()]
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    # Audio without speech is an answer (`no_speech`), not a warning.
    logging.getLogger("whisperx.vads").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    for module in ("pyannote", "torch", "torchaudio", "torchcodec", "lightning", "transformers", "whisperx"):
        warnings.filterwarnings("ignore", module=rf"{module}\b.*")
    # raised from inside importlib, so no module of theirs to name
    warnings.filterwarnings("ignore", message=r"(?s).*torchcodec.*")


def _punkt_by_resource(resource: str) -> object:
    """Stands in for `nltk.data.load("tokenizers/punkt_tab/<language>.pickle")` inside whisperx.alignment."""
    return sentence_tokenizer(resource.rsplit("/", 1)[-1].removesuffix(".pickle"))
