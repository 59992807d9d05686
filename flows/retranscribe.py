"""retranscribe: new versions for old transcripts, where other models or options would make other ones.

Caches: as sync-channel; audio that is still in the store is not fetched again. The old version stays readable.
Needs: what sync-channel needs.
"""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow
from prefect.runtime import flow_run

from channelscribe.preflight import preflight
from channelscribe.settings.travel import to_travel
from flows.forms import RetranscribeRequest, RetranscribeSummary
from flows.pipeline import work_through
from flows.summary import called, completed, failures_of
from tasks.artifacts import followed, show_sync
from tasks.choosing import choose_transcripts, hours_of_work, video_of
from tasks.dask_runner import OnDask
from tasks.queue import chosen_videos
from tasks.resources import run_settings, store
from tasks.telling import tell_of_watches


@flow(name="retranscribe", flow_run_name=called, task_runner=OnDask(), persist_result=False)
def retranscribe(request: RetranscribeRequest) -> RetranscribeSummary:
    """Transcribe what is chosen again; a video that fails keeps the transcript that it had."""
    settings = run_settings(request.settings)
    options = to_travel(settings)
    owner = str(flow_run.id)
    chosen = choose_transcripts(request.wanted(), request.limit, options)
    seconds = sum(each.seconds for each in chosen)
    summary = RetranscribeSummary(
        chosen=len(chosen), hours_of_audio=seconds / 3600, hours_of_work=hours_of_work(seconds), flow_run=owner
    )
    if request.dry_run:
        return completed(summary)

    begun = datetime.now(UTC)
    videos = chosen_videos([video_of(each, owner) for each in chosen], owner, settings.lease_seconds)
    if videos.has_work():
        preflight(settings, store(), seconds=videos.longest_seconds())
    with followed("progress-retranscribe", f"{summary.chosen} videos transcribed again", videos.share):
        ended = work_through(videos, settings, options)
    tell_of_watches()
    show_sync("retranscribe", "transcribed again", ended.taken, begun)
    done = {"published": len(ended.published), "failures": failures_of(ended), "held": videos.held}
    return completed(summary.model_copy(update=done), ended.stopped)
