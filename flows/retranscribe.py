"""retranscribe: new versions for old transcripts, where other models or options would make other ones.

Caches: as sync-channel; audio that is still in the store is not fetched again. The old version stays readable.
Needs: what sync-channel needs.
"""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from channelscribe.settings.travel import to_travel
from flows.forms import RetranscribeRequest, RetranscribeSummary
from flows.summary import completed, failures_of
from flows.work import work_through
from tasks.progress import followed
from tasks.retranscribe_queue import ChosenVideos, choose_transcripts, hours_of_work
from tasks.run_settings import run_settings
from tasks.runner import dask_task_runner


@flow(name="retranscribe", task_runner=dask_task_runner(), persist_result=False)
def retranscribe(request: RetranscribeRequest) -> RetranscribeSummary:
    """Transcribe what is chosen again; a video that fails keeps the transcript that it had."""
    settings = run_settings(request.settings)
    options = to_travel(settings)
    owner = str(flow_run.id)
    chosen = choose_transcripts(request.wanted(), request.limit, owner, options)
    seconds = sum(each.seconds for each in chosen)
    summary = RetranscribeSummary(
        chosen=len(chosen), hours_of_audio=seconds / 3600, hours_of_work=hours_of_work(seconds), flow_run=owner
    )
    if request.dry_run:
        return completed(summary)

    videos = ChosenVideos(chosen, owner, settings.lease_seconds)
    with followed("progress-retranscribe", f"{summary.chosen} videos transcribed again", videos.share):
        published, failed = work_through(videos, settings, options, owner)
    return completed(summary.model_copy(update={"published": len(published), "failures": failures_of(failed)}))
