"""process-text: transcripts that are published already, read again with the text models and steps of now.

Caches: a reading by its transcript, the text options and the models that read it.
Needs: Dask workers with resource CPU, the database and the store of its workers' settings. No audio, no GPU.
"""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from channelscribe.settings.travel import to_travel
from flows.forms import ProcessRequest, ProcessSummary
from flows.summary import called, completed, failure_to_read
from tasks.batching import WINDOW
from tasks.dask_runner import OnDask, submit
from tasks.leases import kept_leases
from tasks.queue import chosen_videos
from tasks.reannotate import by_words, find_transcripts, not_read, read_again
from tasks.resources import run_settings


@flow(name="process-text", flow_run_name=called, task_runner=OnDask(), persist_result=False)
def process_text(request: ProcessRequest) -> ProcessSummary:
    """Read the wanted transcripts; one that fails keeps the reading that it had, and never stops the others."""
    settings = run_settings(request.settings)
    options = to_travel(settings)
    owner = str(flow_run.id)
    found = find_transcripts(request.channel, request.since, request.limit, owner)
    read, failures = 0, []
    videos = chosen_videos([] if request.dry_run else found, owner, settings.lease_seconds)
    with kept_leases(owner):
        for some in videos.batches(WINDOW):
            for group, future in [(group, submit("CPU", read_again, group, options)) for group in by_words(some)]:
                failed = not_read(group, future)
                failures += [failure_to_read(each) for each in failed]
                read += len(group) - len(failed)
    return completed(ProcessSummary(found=len(found), read=read, failures=failures, held=videos.held, flow_run=owner))
