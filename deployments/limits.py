"""Prefect's global limits, from the settings. Creating them again changes nothing; a changed one is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from channelscribe.settings import Settings
from channelscribe.sources.budgets import RateLimit, budgets
from deployments.plan import Plan


@dataclass(frozen=True, slots=True)
class Limit:
    """So many slots; with `per_second`, a slot that was taken comes back at that rate."""

    name: str
    slots: int = 1
    per_second: float = 0.0


def limits(settings: Settings) -> list[Limit]:
    """All limits that tasks ask for: batches of speech at once, and a rate for each budget."""
    return [Limit("gpu", settings.prefect.gpu_runs), *map(rate, budgets(settings.sources))]


def rate(budget: RateLimit) -> Limit:
    """One slot that decays is a rate: it is free again when the next video may be asked for."""
    return Limit(budget.name, 1, budget.per_second)


def provision_limits(budgets: Iterable[RateLimit]) -> None:
    """The rates alone, for a sync on a server that nobody deployed to."""
    with get_client(sync_client=True) as client:
        for limit in map(rate, budgets):
            write(client, limit)


def deploy_limits(plan: Plan, wanted: list[Limit]) -> None:
    for limit in wanted:
        try:
            found = plan.client.read_global_concurrency_limit_by_name(limit.name)
        except ObjectNotFound:
            plan.create("limit", limit.name, partial(write, plan.client, limit))
            continue
        # People may switch a limit off for a while: that stays.
        if (found.limit, found.slot_decay_per_second) != (limit.slots, limit.per_second):
            told = [f"{limit.slots} slots" + (f", {limit.per_second * 3600:g} an hour" if limit.per_second else "")]
            plan.update("limit", limit.name, told, partial(write, plan.client, limit))
    plan.prune("limit", [limit.name for limit in wanted], plan.client.delete_global_concurrency_limit_by_name)


def write(client: SyncPrefectClient, limit: Limit) -> None:
    client.upsert_global_concurrency_limit_by_name(limit.name, limit.slots, limit.per_second)
