"""What a stage of speech took and what ran it: told beside its result, never part of a key.

Needs nothing (torch is asked about a GPU only where one is used). Leaves nothing behind. `measured` runs where the
models are and writes "made" into the stage's JSON, which is stored once; `stages` gives it on to the transcript, so a
transcript put together again from the same checkpoints is the same bytes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from channelscribe import __version__
from channelscribe.speech.loading import seconds_loading
from channelscribe.speech.memory import peak_rss_bytes, reset_peak_rss
from channelscribe.speech.registry import ResolvedModel

__all__ = ["ENGINES", "STAGES", "engines", "measured", "stages"]

STAGES: Mapping[str, str] = {"recognize": "recognizer", "align": "aligner", "diarize": "diarizer"}
"""The stages, in order, and what `Transcript.models` calls the model that each runs."""
ENGINES = ("whisperx", "faster-whisper", "ctranslate2", "torch", "pyannote.audio")
_MADE = "made"
_LOOK_SECONDS = 0.2  # between two looks at the GPU's memory


@cache
def engines() -> dict[str, str]:
    """The installed versions of what recognizes, aligns and diarizes, by the name of the package."""
    found = {}
    for name in ENGINES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def measured(model: ResolvedModel, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` returns, with "made": {"seconds", "load_seconds", "device", "compute_type", "threads", "batch_size",
    "peak_rss_bytes", "engines", "channelscribe"}, and "peak_gpu_bytes" on a GPU.

    `seconds` of wall clock are those of the work without `load_seconds`, which models took to load in this call;
    `compute_type` and `batch_size` are the recognizer's. `peak_rss_bytes` is the most that this process had in memory
    meanwhile (where the system can tell, else ever), `peak_gpu_bytes` the most that was in use on the device, whoever
    had it, looked at five times a second.
    """
    reset_peak_rss()
    started, loading = time.perf_counter(), seconds_loading()
    with _watched_gpu(model.device) as peak:
        answer = make()
    load_seconds = seconds_loading() - loading
    made = {
        "seconds": round(time.perf_counter() - started - load_seconds, 3),
        "load_seconds": round(load_seconds, 3),
        "device": model.device,
        "compute_type": model.compute_type,
        "threads": model.threads,
        "batch_size": model.batch_size,
        "peak_rss_bytes": peak_rss_bytes(),
        "engines": engines(),
        "channelscribe": __version__,
    }
    return answer | {_MADE: made | ({"peak_gpu_bytes": peak[0]} if peak else {})}


def stages(
    recognition: Mapping[str, Any], alignment: Mapping[str, Any], diarization: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """What `measured` said of each of STAGES, with its "real_time_factor": seconds of audio for each second of work, so
    more is faster (others call that RTFx or the inverse real-time factor).

    Seconds of audio are the original's. A stage that did not run its model has no factor, and one whose checkpoint does
    not say what it took is left out. Recordings that were worked on together share the time: only over many of them the
    figure means something.
    """
    ran = (recognition.get("model"), alignment.get("aligner"), diarization.get("diarizer"))
    found = {}
    for name, stage, model in zip(STAGES, (recognition, alignment, diarization), ran, strict=True):
        if _MADE in stage:
            seconds = stage[_MADE]["seconds"]
            factor = round(recognition["audio_seconds"] / seconds, 2) if model and seconds > 0 else None
            found[name] = stage[_MADE] | ({"real_time_factor": factor} if factor else {})
    return found


@contextmanager
def _watched_gpu(device: str) -> Iterator[list[int]]:
    """The most bytes in use on the device, looked at again and again in the background; nothing on a CPU."""
    peak: list[int] = []
    if not device.startswith("cuda"):
        yield peak
        return
    import torch

    over = threading.Event()

    def look() -> None:
        with suppress(RuntimeError):  # figures are not worth a stage
            while True:
                free, total = torch.cuda.mem_get_info()
                peak[:] = [max([int(total - free), *peak])]
                if over.wait(_LOOK_SECONDS):
                    return

    thread = threading.Thread(target=look, name="gpu-memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
