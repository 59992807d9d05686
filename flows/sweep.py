"""sweep: closes lost runs, gives lost work back, applies the retention, deletes what nothing points to; tells what
watches found and nobody was told yet, and what the store has lost of published videos; makes it again where told to.

Caches: nothing, but the steps that a repair takes. Needs: the database and the store of this worker's settings;
leftovers of other machines are theirs. A repair fetches and prepares audio, and reads transcripts, on this worker.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from channelscribe.errors import stops_run
from channelscribe.retention.repair import Repaired
from channelscribe.settings import Settings
from channelscribe.settings.travel import to_travel
from flows.forms import SweepRequest
from flows.summary import called
from tasks import maintenance
from tasks.leases import kept_leases
from tasks.queue import chosen_videos
from tasks.resources import run_settings
from tasks.telling import tell_of_held, tell_of_watches
from tasks.zombie_runs import close_lost_runs

AT_ONCE = 4
"""Videos that are repaired at the same time."""


runner: Any = ThreadPoolTaskRunner(max_workers=AT_ONCE)


@flow(name="sweep", flow_run_name=called, task_runner=runner, persist_result=False)
def sweep(request: SweepRequest) -> dict[str, Any]:
    """One sweep; returns its report."""
    settings = run_settings(request.settings)
    retention = settings.retention.model_dump()
    report = {"lost_runs": close_lost_runs(request.dry_run), **maintenance.sweep(retention, request.dry_run)}
    if not request.dry_run:
        tell_of_watches()
        tell_of_held()
    return {**report, "repaired": repair(settings).to_dict()} if request.repair else report


def repair(settings: Settings) -> Repaired:
    """Each video for itself: one that cannot be made whole never stops the others, but for what is the machine's."""
    owner, options, done = str(flow_run.id), to_travel(settings), Repaired()
    found = maintenance.find_missing(settings.retention.model_dump(), owner)
    lost = {video.pk: each for video, each in found}
    queue = chosen_videos([video for video, _ in found], owner, settings.lease_seconds)
    with kept_leases(owner):
        for some in queue.batches(AT_ONCE):
            for video, future in [(each, maintenance.repair.submit(each, lost[each.pk], options)) for each in some]:
                answer: Any = future.result(raise_on_failure=False)
                if isinstance(answer, Repaired):
                    done.add(answer)
                    continue
                done.left[f"{video.site}:{video.video_id}"] = str(answer)
                if stops_run(answer):
                    queue.stop()
    return done
