"""sync-channel: the main job. Lists a source, fetches what is new, has it transcribed, publishes it.

Caches: download by video, prepare by its bytes and the audio options (see `tasks/`); nothing by run.
Needs: the database and the store of its workers' settings; the rate limits of `sources.budgets` on the Prefect server;
and, only when something is due, Dask workers with resources CPU, NET and GPU.
"""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import Flow, flow
from prefect.runtime import flow_run

from channelscribe.catalogue import breakers, listings
from channelscribe.discovery import Listed, ask_again, only_sync_of
from channelscribe.errors import ChannelscribeError
from channelscribe.preflight import preflight
from channelscribe.settings import Settings
from channelscribe.settings.travel import to_travel
from channelscribe.sources.site_key import scope_of
from flows.forms import SyncRequest, SyncSummary, busy, rehearsed
from flows.pipeline import work_through
from flows.summary import called, completed, run_name, summarize
from tasks.artifacts import followed, show_sync, source_key
from tasks.dask_runner import OnDask
from tasks.listing import dry_run, list_source
from tasks.queue import due_videos
from tasks.resources import catalogue, run_settings, store
from tasks.telling import of_source, tell_of_watches

NAME = "sync-channel"


@flow(name=NAME, flow_run_name=called, task_runner=OnDask(), persist_result=False)
def sync_channel(request: SyncRequest) -> SyncSummary:
    """Sync one source; returns what was done. Raises when the source itself cannot be listed."""
    settings = run_settings(request.own_settings())
    options = to_travel(settings)
    # Without passwords and tokens: that name is what runs, pages and messages have.
    request = request.model_copy(update={"source": catalogue().run(listings.keep_address, request.source)})
    if request.dry_run:
        found = dry_run(request.source, options, request.limit, request.full, request.again)
        return completed(rehearsed(request, found, str(flow_run.id)))
    with only_sync_of(catalogue(), request.source, run_name(), wait=request.wait) as other:
        if other is not None:
            return completed(busy(request, other, str(flow_run.id)))
        if "blocked" in request.again:
            catalogue().run(breakers.close, scope_of(request.source))
        try:
            listed = list_source(request.source, options, request.full)
        except ChannelscribeError as error:
            of_source(request.source, error)
            raise
        ask_again(catalogue(), listed.source_pk, request.again, request.refetch)
        return work_on(request, listed, settings)


def sync_of(listed: Listed) -> Flow[[SyncRequest], SyncSummary]:
    """The same flow for a source that its caller holds and has listed, as a command does that looks first."""

    def sync_channel(request: SyncRequest) -> SyncSummary:
        return work_on(request, listed, run_settings(request.own_settings()))

    return flow(name=NAME, flow_run_name=called, task_runner=OnDask(), persist_result=False)(sync_channel)


def work_on(request: SyncRequest, listed: Listed, settings: Settings) -> SyncSummary:
    """All that is due of a listed source."""
    begun = datetime.now(UTC)
    videos = due_videos(listed, str(flow_run.id), settings, request.limit)
    if videos.has_work():
        preflight(settings, store(), seconds=videos.longest_seconds())
    with followed(source_key("progress-sync", request.source), f"sync of {listed.title}"[:200], videos.share):
        ended = work_through(videos, settings, to_travel(settings))
    tell_of_watches()
    show_sync(request.source, listed.title, ended.taken, begun)
    return summarize(request, listed, videos, ended)
