"""sync-channel: the main job. Lists a source, fetches what is new, has it transcribed, publishes it.

Caches: download by video, prepare by its bytes and the audio options (see `tasks/`); nothing by run.
Needs: the database and the store of its workers' settings; Dask workers with resources CPU, NET and GPU; the rate
limits of `sources.budgets` on the Prefect server.
"""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow
from prefect.runtime import flow_run

from channelscribe.settings.travel import to_travel
from flows.forms import SyncRequest, SyncSummary
from flows.run_names import sync_name
from flows.summary import completed, summarize, summarize_rehearsal
from flows.work import work_through
from tasks.artifacts import show_sync, source_key
from tasks.listing import list_source, make_due, rehearse
from tasks.progress import followed
from tasks.run_settings import run_settings
from tasks.runner import dask_task_runner
from tasks.site_guard import unblock
from tasks.sync_queue import DueVideos


@flow(name="sync-channel", flow_run_name=sync_name, task_runner=dask_task_runner(), persist_result=False)
def sync_channel(request: SyncRequest) -> SyncSummary:
    """Sync one source; returns what was done. Raises when the source itself cannot be listed."""
    settings = run_settings(request.own_settings())
    options = to_travel(settings)
    if request.dry_run:
        return completed(summarize_rehearsal(request, rehearse(request.source, options, request.limit, request.full)))

    if "blocked" in request.again:
        unblock(request.source)
    listed = list_source(request.source, options, request.full)
    if request.again:
        make_due(listed["source_pk"], request.again)
    owner = str(flow_run.id)
    begun = datetime.now(UTC)
    videos = DueVideos(listed, owner, options, request.limit)
    with followed(source_key("progress-sync", request.source), f"sync of {listed['title']}"[:200], videos.share):
        published, failed = work_through(videos, settings, options, owner)
    show_sync(request.source, listed["title"], published, [video for video, _ in failed], begun)
    return completed(summarize(request, listed, published, failed))
