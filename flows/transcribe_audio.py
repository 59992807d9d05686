"""transcribe-audio: prepared audio in, published transcripts out; what a sync hands to the work pool `gpu`.

Caches: recognize, align and diarize by the sha256 of the speech track, model and options; read by transcript.
Needs: a Dask worker with resource GPU=1 (a CPU will do), the database and the store of its workers' settings.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.forms import TranscribeRequest
from flows.pipeline import transcribe
from flows.summary import called, completed_batch
from tasks.dask_runner import OnDask


@flow(name="transcribe-audio", flow_run_name=called, task_runner=OnDask(), persist_result=False)
def transcribe_audio(request: TranscribeRequest) -> Any:
    """Transcribe a batch. Whoever sent it looks at the videos' rows: a run that dies tells nothing."""
    batch = list(zip(request.videos, request.audio, strict=True))
    return completed_batch(len(batch), transcribe(batch, request.options))
