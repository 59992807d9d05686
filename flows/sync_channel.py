"""sync-channel: the main job. Lists a source, fetches what is new, has it transcribed, publishes it.

Caches: download by video, prepare by its bytes and the audio options (see `tasks/`); nothing by run.
Needs: the database and the store of its workers' settings; Dask workers with resources CPU, NET and GPU; the rate
limits of `sources.budgets` on the Prefect server.
"""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow
from prefect.runtime import flow_run

from channelscribe.preflight import preflight
from channelscribe.settings.travel import to_travel
from flows.forms import SyncRequest, SyncSummary
from flows.pipeline import work_through
from flows.summary import busy, run_name, summarize, summarize_dry_run, sync_name
from tasks.artifacts import followed, show_sync, source_key
from tasks.dask_runner import OnDask
from tasks.listing import dry_run, known_as, list_source, make_due, refetch
from tasks.queue import due_videos, only_sync_of
from tasks.resources import run_settings, store
from tasks.site_guard import unblock


@flow(name="sync-channel", flow_run_name=sync_name, task_runner=OnDask(), persist_result=False)
def sync_channel(request: SyncRequest) -> SyncSummary:
    """Sync one source; returns what was done. Raises when the source itself cannot be listed."""
    settings = run_settings(request.own_settings())
    options = to_travel(settings)
    request = request.model_copy(update={"source": known_as(request.source)})
    if request.dry_run:
        return summarize_dry_run(request, dry_run(request.source, options, request.limit, request.full))

    with only_sync_of(request.source, run_name(), wait=request.wait) as other:
        if other is not None:
            return busy(request, other)
        if "blocked" in request.again:
            unblock(request.source)
        listed = list_source(request.source, options, request.full)
        if request.again:
            make_due(listed.source_pk, request.again)
        if request.refetch:
            refetch(listed.source_pk, request.refetch)
        owner = str(flow_run.id)
        begun = datetime.now(UTC)
        videos = due_videos(listed, owner, settings, request.limit)
        if videos.has_work():
            preflight(settings, store(), seconds=videos.longest_seconds())
        with followed(source_key("progress-sync", request.source), f"sync of {listed.title}"[:200], videos.share):
            ended = work_through(videos, settings, options)
        show_sync(request.source, listed.title, ended.taken, begun)
        return summarize(request, listed, videos, ended)
