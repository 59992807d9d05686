"""sync-channel: the main job. Lists a source, fetches what is new, has it transcribed, publishes it.

Caches: download by video, prepare by its bytes and the audio options (see `tasks/`); nothing by run.
Needs: the database and the store of its workers' settings; Dask workers with resources CPU, NET and GPU; the rate
limits of `sources.budgets` on the Prefect server.
"""

from __future__ import annotations

from functools import partial

from prefect import flow
from prefect.runtime import flow_run

from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import to_travel
from flows.forms import SyncRequest, SyncSummary, TranscribeRequest
from flows.summary import summarize, summarize_rehearsal
from flows.transcribe_audio import transcribe_audio
from tasks.asking import unblock
from tasks.audio import prepare
from tasks.due import DueVideos
from tasks.fetch import download
from tasks.leases import kept_leases
from tasks.listing import list_source, make_due, rehearse
from tasks.outcomes import Chain, ready_batches, stops_source
from tasks.publishing import record_failure
from tasks.records import VideoWork
from tasks.runner import dask_task_runner, submit


@flow(name="sync-channel", task_runner=dask_task_runner(), persist_result=False)
def sync_channel(request: SyncRequest) -> SyncSummary:
    """Sync one source; returns what was done. Raises when the source itself cannot be listed."""
    settings = SettingsRegistry(run=request.own_settings()).resolve()
    options = to_travel(settings)
    if request.dry_run:
        return summarize_rehearsal(request, rehearse(request.source, options, request.limit, request.full))

    if "blocked" in request.again:
        unblock(request.source)
    listed = list_source(request.source, options, request.full)
    if request.again:
        make_due(listed["source_pk"], request.again)
    owner = str(flow_run.id)
    published, failed = [], []
    with kept_leases(owner):
        videos = DueVideos(listed, owner, options, request.limit)
        for batch, lost in ready_batches(videos, partial(fetch, options=options), settings.speech.batch_minutes):
            for video, error in lost:
                record_failure(video, error)
            failed += lost
            if stops_source(lost):
                videos.stop()
            if batch:
                work, audio = zip(*batch, strict=True)
                request_batch = TranscribeRequest(videos=list(work), audio=list(audio), options=options)
                done, broken = transcribe_audio(request_batch)
                published += done
                failed += broken
    return summarize(request, listed, published, failed)


def fetch(video: VideoWork, options: dict[str, object]) -> Chain:
    """Download and prepare one video; they go on while earlier ones are transcribed."""
    original = submit("NET", download, video, options)
    return [original, submit("CPU", prepare, video, original, options)]
