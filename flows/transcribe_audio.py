"""transcribe-audio: prepared audio in, published transcripts out.

Caches: recognize, align and diarize by the sha256 of the speech track, model and options; read by transcript.
Short videos are recognized together, in batches that they share; each still has its own three checkpoints.
Needs: a Dask worker with resource GPU=1 (a CPU will do), the database and the store of its workers' settings.
"""

from __future__ import annotations

from functools import partial

from prefect import flow
from prefect.futures import PrefectFuture

from flows.forms import TranscribeRequest
from tasks.batch_recognition import short_ones
from tasks.batching import Chain, settle
from tasks.publish import publish, record_failure
from tasks.read import read
from tasks.records import PreparedAudio, Published, VideoWork
from tasks.runner import dask_task_runner, submit
from tasks.speech import align, diarize, recognize, recognize_together


@flow(name="transcribe-audio", task_runner=dask_task_runner(), persist_result=False)
def transcribe_audio(request: TranscribeRequest) -> tuple[list[Published], list[tuple[VideoWork, Exception]]]:
    """Transcribe a batch; returns what was published, and (video, error) of what was not."""
    work = list(zip(request.videos, request.audio, strict=True))
    batches = together(request)
    again = [partial(steps, video, audio, request) for video, audio in work]
    chains = [start(batches.get(place)) for place, start in enumerate(again)]
    published, failed = [], []
    for video, first, start in zip(request.videos, chains, again, strict=True):
        chain, error = settle(first, start)
        if error is None:
            published.append(chain[-1].result())
        else:
            record_failure(video, error)
            failed.append((video, error))
    return published, failed


def together(request: TranscribeRequest) -> dict[int, PrefectFuture[int]]:
    """The batch that recognizes a video with others, by the video's place; long ones have none."""
    batches: dict[int, PrefectFuture[int]] = {}
    for places in short_ones(request.audio):
        videos, audio = ([given[place] for place in places] for given in (request.videos, request.audio))
        batch = submit("GPU", recognize_together, videos, audio, request.options)
        batches |= dict.fromkeys(places, batch)
    return batches


def steps(
    video: VideoWork, audio: PreparedAudio, request: TranscribeRequest, after: PrefectFuture[int] | None = None
) -> Chain:
    """One video's steps; each starts when what it needs is there."""
    options = request.options
    recognition = submit("GPU", recognize, video, audio, options, after)
    alignment = submit("GPU", align, video, audio, recognition, options)
    turns = submit("GPU", diarize, video, audio, options)
    reading = submit("CPU", read, video, recognition, alignment, turns, options)
    publishing = submit("CPU", publish, video, audio, reading)
    return [recognition, alignment, turns, reading, publishing]
