"""What syncs and re-transcriptions do alike: fetch, prepare, transcribe and publish videos, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from channelscribe.settings import Settings
from flows.forms import TranscribeRequest
from flows.transcribe_audio import transcribe_audio
from tasks.batching import Chain, ready_batches, stops_source
from tasks.download import download
from tasks.leases import kept_leases
from tasks.prepare import prepare
from tasks.publish import record_failure
from tasks.records import Published, VideoWork
from tasks.retry_while_away import patiently
from tasks.runner import submit
from tasks.speech_pool import Lost, SpeechPool, Work


class Videos(Protocol):
    """Gives the next videos, leased; none at the end, or after `stop`."""

    def __call__(self, count: int) -> Sequence[VideoWork]: ...
    def stop(self) -> None: ...


def work_through(
    videos: Videos, settings: Settings, options: dict[str, Any], owner: str
) -> tuple[list[Published], list[Lost]]:
    """Everything that `videos` gives; returns what was published, and (video, error) of what was not."""
    speech: AtHand | SpeechPool = AtHand(options)
    if settings.prefect.gpu_deployment:
        speech = SpeechPool(settings.prefect.gpu_deployment, owner, options, settings.prefect.gpu_runs)
    start: Callable[[VideoWork], Chain] = partial(fetch, options=options)
    failed: list[Lost] = []
    with kept_leases(owner):
        for batch, lost in ready_batches(videos, start, settings.speech.batch_minutes):
            for video, error in lost:
                record_failure(video, error)
            failed += lost
            if stops_source(lost):
                videos.stop()
            if batch:
                speech.take(batch)
        speech.finish()
    return speech.published, failed + speech.failed


def fetch(video: VideoWork, options: dict[str, Any]) -> Chain:
    """Download and prepare one video; they go on while earlier ones are transcribed."""
    original = submit("NET", download, video, options)
    return [original, submit("CPU", prepare, video, original, options)]


class AtHand:
    """Transcribes each batch where the flow's other steps run."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.published: list[Published] = []
        self.failed: list[Lost] = []
        self._options = options

    def take(self, batch: Sequence[Work]) -> None:
        work, audio = zip(*batch, strict=True)
        request = TranscribeRequest(videos=list(work), audio=list(audio), options=self._options)
        # Made anew it finds done what was done.
        done, broken = patiently(lambda: transcribe_audio(request))
        self.published += done
        self.failed += broken

    def finish(self) -> None:
        """Each batch ended when it was taken."""
