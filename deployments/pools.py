"""The work pools: where runs of deployments wait for a worker that serves them.

`prefect worker start --pool default` on any machine with the code, `--pool gpu` on those that transcribe.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from channelscribe.settings import Settings
from deployments.plan import Plan


@dataclass(frozen=True, slots=True)
class Pool:
    """A work pool of type process. `runs` is how many runs its workers do at once, all together; None: no limit."""

    name: str
    description: str
    runs: int | None = None


def pools(settings: Settings) -> list[Pool]:
    """All pools that deployments may name."""
    return [
        Pool("default", "Listing, downloads, audio and text of channelscribe: any machine with the code."),
        Pool("gpu", "Speech of channelscribe: a worker on each GPU host.", settings.prefect.gpu_runs),
    ]


def deploy_pools(plan: Plan, wanted: list[Pool]) -> None:
    """A pool that is there keeps its job template and whether it is paused: those are for people to change."""
    for pool in wanted:
        try:
            found = plan.client.read_work_pool(pool.name)
        except ObjectNotFound:
            plan.create("pool", pool.name, partial(create, plan, pool))
            continue
        values = {"description": pool.description, "concurrency_limit": pool.runs}
        changed = [name for name, value in values.items() if getattr(found, name) != value]
        if changed:
            update = WorkPoolUpdate(description=pool.description, concurrency_limit=pool.runs)
            plan.update("pool", pool.name, changed, partial(plan.client.update_work_pool, pool.name, update))
    plan.prune("pool", [pool.name for pool in wanted], plan.client.delete_work_pool)


def create(plan: Plan, pool: Pool) -> None:
    plan.client.create_work_pool(
        WorkPoolCreate(
            name=pool.name,
            type="process",
            description=pool.description,
            concurrency_limit=pool.runs,
            base_job_template=ProcessWorker.get_default_base_job_template(),
        )
    )
