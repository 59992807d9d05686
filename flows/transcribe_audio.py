"""transcribe-audio: prepared audio in, published transcripts out.

Caches: recognize, align and diarize by the sha256 of the speech track, model and options; read by transcript.
Needs: a Dask worker with resource GPU=1 (a CPU will do), the database and the store of its workers' settings.
"""

from __future__ import annotations

from functools import partial

from prefect import flow

from flows.forms import TranscribeRequest
from tasks.outcomes import Chain, settle
from tasks.publishing import publish, record_failure
from tasks.records import PreparedAudio, Published, VideoWork
from tasks.runner import dask_task_runner, submit
from tasks.speech import align, diarize, recognize
from tasks.text import read


@flow(name="transcribe-audio", task_runner=dask_task_runner(), persist_result=False)
def transcribe_audio(request: TranscribeRequest) -> tuple[list[Published], list[tuple[VideoWork, Exception]]]:
    """Transcribe a batch; returns what was published, and (video, error) of what was not."""
    again = [partial(steps, video, audio, request) for video, audio in zip(request.videos, request.audio, strict=True)]
    chains = [start() for start in again]
    published, failed = [], []
    for video, first, start in zip(request.videos, chains, again, strict=True):
        chain, error = settle(first, start)
        if error is None:
            published.append(chain[-1].result())
        else:
            record_failure(video, error)
            failed.append((video, error))
    return published, failed


def steps(video: VideoWork, audio: PreparedAudio, request: TranscribeRequest) -> Chain:
    """One video's steps; each starts when what it needs is there."""
    options = request.options
    recognition = submit("GPU", recognize, video, audio, options)
    alignment = submit("GPU", align, video, audio, recognition, options)
    turns = submit("GPU", diarize, video, audio, options)
    reading = submit("CPU", read, video, recognition, alignment, turns, options)
    publishing = submit("CPU", publish, video, audio, reading)
    return [recognition, alignment, turns, reading, publishing]
