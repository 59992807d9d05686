"""The life of a video, from its source to its row. Syncs, re-transcriptions and the runs of the speech pool share it.

| step | is | runs on |
|---|---|---|
| list | `tasks.listing`: a source's videos become rows; `tasks.queue` leases the next ones | the flow's own process |
| download | `tasks.download`: the original-language track | resource NET |
| prepare | `tasks.prepare`: archive and speech track | resource CPU |
| recognize, align, diarize | `tasks.speech`: three checkpoints | resource GPU, here or in the pool `gpu` |
| read | `tasks.read`: sentences, tokens, entities | resource CPU |
| embed | `tasks.embed`: passages and their vectors, where `meaning.model` names a model | resource CPU |
| publish | `tasks.publish`: files, then rows and the *current* pointer | resource CPU |

Each step is a Prefect task with a cache key and retries of its own; what it makes is in the store before it returns.
What fails is written on the video's row as `channelscribe.errors` says, and the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prefect.futures import PrefectFuture

from channelscribe.errors import stops_run
from channelscribe.settings import Settings
from tasks.batch_recognition import short_ones
from tasks.batching import Chain, Failed, Work, ready_batches, settle, stops_source
from tasks.dask_runner import expect_speech, submit
from tasks.download import download
from tasks.embed import embed
from tasks.leases import kept_leases
from tasks.prepare import prepare
from tasks.publish import publish, record_failure
from tasks.queue import VideoQueue
from tasks.read import read
from tasks.records import EmbeddedTranscript, Options, PreparedAudio, VideoWork
from tasks.speech import align, diarize, recognize, recognize_together
from tasks.speech_pool import SpeechPool

__all__ = ["Ended", "transcribe", "work_through"]


@dataclass
class Ended:
    """What became of a queue's videos: those of `taken` that are not in `failed` are published.

    `stopped` is the machine's failure that ended the run early; it says nothing of a video.
    """

    taken: list[VideoWork]
    failed: list[Failed] = field(default_factory=list)
    stopped: Exception | None = None

    @property
    def published(self) -> list[VideoWork]:
        lost = {video.pk for video, _ in self.failed}
        return [video for video in self.taken if video.pk not in lost]


def work_through(queue: VideoQueue, settings: Settings, options: Options) -> Ended:
    """Fetch, prepare, transcribe and publish all that the queue gives, a few at a time."""
    ended = Ended(queue.taken)
    pool = SpeechPool(settings.prefect, queue.owner, options) if settings.prefect.gpu_deployment else None
    start = partial(fetch, options=options, speech_here=pool is None)
    with kept_leases(queue.owner):
        for batch, failed in ready_batches(queue, start, settings.speech.batch_minutes):
            for video, error in failed:
                record_failure(video, error)
            note(failed, ended, queue)
            if batch:
                note(pool.take(batch) if pool else transcribe(batch, options), ended, queue)
        if pool:
            note(pool.finish(), ended, queue)
    return ended


def fetch(video: VideoWork, options: Options, speech_here: bool) -> Chain:
    """Download and prepare a video; this goes on while earlier ones are transcribed."""
    original = submit("NET", download, video, options, fresh=video.fresh)
    if speech_here:
        expect_speech()  # its models load while the first audio is fetched and prepared
    return [original, submit("CPU", prepare, video, original, options, fresh=video.fresh)]


def transcribe(batch: Sequence[Work], options: Options) -> list[Failed]:
    """From prepared audio to published transcripts; returns what did not get there, recorded.

    Short recordings are recognized in batches that they share; each still has its own three checkpoints.
    """
    shared: dict[int, PrefectFuture[int]] = {}
    for places in short_ones([audio for _, audio in batch]):
        videos, audio = ([batch[place][part] for place in places] for part in (0, 1))
        future = submit("GPU", recognize_together, videos, audio, options)
        shared |= dict.fromkeys(places, future)
    starts = [partial(steps, video, audio, options) for video, audio in batch]
    chains = [start(shared.get(place)) for place, start in enumerate(starts)]
    failed: list[Failed] = []
    for (video, _), chain, start in zip(batch, chains, starts, strict=True):
        _, error = settle(chain, start)
        if error is not None:
            record_failure(video, error)
            failed.append(Failed(video, error))
    return failed


def steps(
    video: VideoWork, audio: PreparedAudio, options: Options, together: PrefectFuture[int] | None = None
) -> Chain:
    """One video's steps after its audio; each starts when what it needs is there."""
    recognition = submit("GPU", recognize, video, audio, options, together, fresh=video.fresh)
    alignment = submit("GPU", align, video, audio, recognition, options, fresh=video.fresh)
    turns = submit("GPU", diarize, video, audio, options, fresh=video.fresh)
    reading = submit("CPU", read, video, recognition, alignment, turns, options, fresh=video.fresh)
    chain: list[PrefectFuture[Any]] = [recognition, alignment, turns, reading]
    made: PrefectFuture[EmbeddedTranscript] | None = None
    if options["meaning"]["model"]:
        made = submit("CPU", embed, video, reading, options, fresh=video.fresh)
        chain.append(made)
    return [*chain, submit("CPU", publish, video, audio, reading, options, made, fresh=video.fresh)]


def note(failed: Sequence[Failed], ended: Ended, queue: VideoQueue) -> None:
    """What is the site's failure or the machine's would meet the next videos, too: the queue ends there."""
    for video, error in failed:
        queue.give_back(video)
        ended.failed.append(Failed(video, error))
        if stops_run(error):
            ended.stopped = ended.stopped or error
        if stops_run(error) or stops_source(error):
            queue.stop()
