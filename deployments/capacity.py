"""How much runs at once, and what first: work pools, their queues, and Prefect's global limits.

`prefect worker start --pool default` on any machine with the code, `--pool gpu` on those that transcribe. A worker
takes from a pool's queues by priority, so that what was published today never waits behind a backlog.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.workers.process import ProcessWorker

from channelscribe.settings import Settings
from channelscribe.sources.budgets import budgets
from deployments.plan import Plan, found


@dataclass(frozen=True, slots=True)
class Queue:
    """`priority` 1 comes first. `runs` is how many a new queue lets its workers do at once."""

    priority: int
    description: str
    runs: int | None = None


POOLS = {
    "default": "Listing, downloads, audio and text of channelscribe: any machine with the code.",
    "gpu": "Speech of channelscribe: a worker on each GPU host.",
}
"""All pools that deployments may name, of type process, each with its description."""

QUEUES = {
    ("default", "syncs"): Queue(2, "Syncs of channels; those over the limit wait, however many are due at once.", 20),
    ("gpu", "fresh"): Queue(1, "What is new in a channel."),
    ("gpu", "backlog"): Queue(2, "Older videos, and what is transcribed again."),
}
"""Beside the queue `default`, which each pool has."""


def deploy_pools(plan: Plan, settings: Settings) -> None:
    """Pools, then their queues. How many runs the workers of a pool do at once is said of `gpu` alone."""
    for name, description in POOLS.items():
        deploy_pool(plan, name, description, settings.prefect.gpu_runs if name == "gpu" else None)
    for (pool, name), queue in QUEUES.items():
        deploy_queue(plan, pool, name, queue)


def deploy_pool(plan: Plan, name: str, description: str, most: int | None) -> None:
    """One that is there keeps its job template and whether it is paused: those are for people to change."""
    wanted = {"description": description, "concurrency_limit": most}
    template = ProcessWorker.get_default_base_job_template()
    new = WorkPoolCreate(name=name, type="process", base_job_template=template, **wanted)
    there = found(plan.client.read_work_pool, name)
    plan.bring(
        "pool",
        name,
        wanted,
        there,
        create=lambda: plan.client.create_work_pool(new),
        update=lambda _: plan.client.update_work_pool(name, WorkPoolUpdate(**wanted)),
    )


def deploy_queue(plan: Plan, pool: str, name: str, queue: Queue) -> None:
    """One that is there keeps its limit and whether it is paused: those are for people to change."""
    wanted = {"priority": queue.priority, "description": queue.description}
    there = found(plan.client.read_work_queue_by_name, name, pool)
    new = partial(plan.client.create_work_queue, name, work_pool_name=pool, concurrency_limit=queue.runs)
    plan.bring(
        "queue",
        f"{pool}/{name}",
        wanted,
        there,
        create=lambda: new(priority=queue.priority, description=queue.description),
        update=lambda there: plan.client.update_work_queue(there.id, **wanted),
    )


def prune_pools(plan: Plan) -> None:
    """After the deployments, which may have named what goes."""

    def remove_queue(title: str) -> None:
        pool, _, name = title.partition("/")
        plan.client.delete_work_queue_by_id(plan.client.read_work_queue_by_name(name, pool).id)

    plan.prune("queue", [f"{pool}/{name}" for pool, name in QUEUES], remove_queue)
    plan.prune("pool", list(POOLS), plan.client.delete_work_pool)


def deploy_limits(plan: Plan, settings: Settings) -> None:
    """All limits that tasks ask for: a rate for each budget. Batches of speech at once are the pool's to limit.

    One slot that decays is a rate: it is free again when the next video may be asked for. People may switch a limit off
    for a while: that stays.
    """
    client = plan.client
    limits = {budget.name: (1, budget.per_second) for budget in budgets(settings.sources)}
    for name, (slots, per_second) in limits.items():

        def write(_: object = None, name: str = name, slots: int = slots, per_second: float = per_second) -> None:
            client.upsert_global_concurrency_limit_by_name(name, slots, per_second)

        there = found(client.read_global_concurrency_limit_by_name, name)
        wanted = {"limit": slots, "slot_decay_per_second": per_second}
        plan.bring("limit", name, wanted, there, create=write, update=write)
    plan.prune("limit", list(limits), client.delete_global_concurrency_limit_by_name)
