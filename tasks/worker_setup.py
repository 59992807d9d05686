"""Loaded by the speech worker when it starts (`dask worker --preload tasks.worker_setup`).

Importing WhisperX costs about ten seconds of CPU. A thread does it while the first videos are still downloading.
"""

from __future__ import annotations

import threading

from distributed import Worker


def dask_setup(worker: Worker) -> None:
    """Dask calls this once the worker has started."""
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
