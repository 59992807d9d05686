"""embed-library: what is published is put into the index of `meaning.model`, and searched by it once it is whole.

Caches: none; what is in the index as it is now is not due, so a run that was stopped goes on where it was.
Needs: Dask workers with resource CPU and the model, the database with the extension `vector`.
"""

from __future__ import annotations

from typing import cast

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from channelscribe.settings.travel import to_travel
from flows.forms import EmbedRequest, EmbedSummary
from flows.summary import called
from tasks.dask_runner import OnDask, submit
from tasks.embed import NO_VECTORS, embed_again, find_due, hours_to_embed, in_groups, switch_to, went_in
from tasks.resources import run_settings

ROUNDS = 5
"""What is published meanwhile is put in, too; who publishes faster than that goes on being searched as before."""


@flow(name="embed-library", flow_run_name=called, task_runner=OnDask(), persist_result=False)
def embed_library(request: EmbedRequest) -> EmbedSummary:
    """Put what is due into the index, the newest first; another model's is searched until this one has all."""
    options = to_travel(run_settings(request.settings))
    index, due = find_due(options, request.model)
    seconds = sum(each.seconds for each in due)
    summary = EmbedSummary(
        found=len(due), hours_of_audio=seconds / 3600, hours_of_work=hours_to_embed(due, options, request.model),
        model=index.name if index else None, flow_run=str(flow_run.id),
    )  # fmt: skip
    if index is None:
        return cast(EmbedSummary, Failed(message=NO_VECTORS, data=summary))
    error: Exception | None = None
    for _ in range(0 if request.dry_run else ROUNDS):
        for group, future in [(each, submit("CPU", embed_again, each, index.name, options)) for each in in_groups(due)]:
            count, failed = went_in(group, future)
            summary.embedded += count
            error = error or failed
        if error is not None or not switch_to(index):
            break
        due = find_due(options, request.model)[1]
    if error is not None:
        return cast(EmbedSummary, Failed(message=f"{error} ({summary.headline})", data=summary))
    return cast(EmbedSummary, Completed(message=summary.headline, data=summary))
