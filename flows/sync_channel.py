"""sync-channel: the main job. Lists a source, fetches what is new, has it transcribed, publishes it.

Caches: download by video, prepare by its bytes and the audio options (see `tasks/`); nothing by run.
Needs: the database and the store of its workers' settings; Dask workers with resources CPU, NET and GPU.
"""

from __future__ import annotations

from functools import partial

from prefect import flow
from prefect.runtime import flow_run

from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import to_travel
from flows.forms import SyncRequest, SyncSummary, TranscribeRequest
from flows.summary import summarize
from flows.transcribe_audio import transcribe_audio
from tasks.audio import prepare
from tasks.fetch import download
from tasks.leases import kept_leases
from tasks.listing import claim_due, list_source, look_due
from tasks.outcomes import Chain, ready_batches
from tasks.publishing import record_failure
from tasks.records import VideoWork
from tasks.runner import dask_task_runner, submit


@flow(name="sync-channel", task_runner=dask_task_runner(), persist_result=False)
def sync_channel(request: SyncRequest) -> SyncSummary:
    """Sync one source; returns what was done. Raises when the source itself cannot be listed."""
    settings = SettingsRegistry(run=request.settings).resolve()
    options = to_travel(settings)
    listed = list_source(request.source, options)
    source_pk = listed["source_pk"]
    if request.dry_run:
        due = look_due(source_pk, request.limit, request.since)
        return summarize(request, listed, source_pk, [], [], due=due)

    owner = str(flow_run.id)
    published, failed = [], []
    with kept_leases(owner):
        videos = claim_due(listed, owner, options, request.limit, request.since)
        chains = {video.pk: (video, fetch(video, options)) for video in videos}
        for batch, lost in ready_batches(chains, settings.speech.batch_minutes, partial(fetch, options=options)):
            for video, error in lost:
                record_failure(video, error)
            failed += lost
            if batch:
                work, audio = zip(*batch, strict=True)
                request_batch = TranscribeRequest(videos=list(work), audio=list(audio), options=options)
                done, broken = transcribe_audio(request_batch)
                published += done
                failed += broken
    return summarize(request, listed, source_pk, published, failed)


def fetch(video: VideoWork, options: dict[str, object]) -> Chain:
    """Download and prepare one video; they go on while earlier ones are transcribed."""
    original = submit("NET", download, video, options)
    return [original, submit("CPU", prepare, video, original, options)]
