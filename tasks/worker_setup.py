"""Loaded by the speech worker when it starts (`dask worker --preload tasks.worker_setup`).

Importing WhisperX costs about ten seconds of CPU. A thread does it while the first videos are still downloading.
"""

from __future__ import annotations

import os
import threading

from distributed import Worker

from channelscribe.project import collect_less
from channelscribe.speech.devices import own_device, present_devices

_VISIBLE = "CUDA_VISIBLE_DEVICES"  # CUDA's own switch, read when it starts


def dask_setup(worker: Worker) -> None:
    """Dask calls this once the worker has started."""
    collect_less()
    device = own_device(str(worker.name), os.environ.get(_VISIBLE), present_devices())
    if device is not None:
        os.environ[_VISIBLE] = device
    threading.Thread(target=_import_engines, name="import-speech-engines", daemon=True).start()


def _import_engines() -> None:
    try:
        from channelscribe.speech.engines import prepare_engines

        prepare_engines()
        import whisperx.alignment
        import whisperx.asr
        import whisperx.diarize  # noqa: F401
    except ImportError:
        # Without the extra `speech` the first speech task says so, with its remedy.
        return
