"""Brings a Prefect server to what is declared: pools, limits, blocks, automations, deployments and their schedules.

Everything is read and checked before the server hears of anything. What is as declared is not written, so that a
second deploy changes nothing; what is not declared any more is removed. Needs the server at `PREFECT_API_URL`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.exceptions import ObjectNotFound

from channelscribe import __version__
from channelscribe.errors import ChannelscribeError, StackError
from channelscribe.settings import Settings
from deployments.automations import automations, deploy_automations
from deployments.channels import channels
from deployments.declared import TAG, Declared, check_parameters, declared
from deployments.documents import deploy_blocks, documents, unreachable
from deployments.limits import deploy_limits, limits
from deployments.plan import Change, Plan
from deployments.pools import deploy_pools, pools
from deployments.schedules import deploy_schedules

SYNC = "sync-channel/default"
"""The deployment that has a schedule for each channel."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What was changed, or would be, and the blocks whose connection does not work from here."""

    changes: list[Change]
    unreachable: dict[str, ChannelscribeError] = field(default_factory=dict)


def provision(settings: Settings, *, channels_file: Path | None = None, rehearsal: bool = False) -> Provisioned:
    """Raises InvalidSetting for what is declared wrongly, StackError when the server does not answer."""
    wanted_pools = pools(settings)
    wanted = declared([pool.name for pool in wanted_pools])
    schedules = {each.name: list(each.entry.schedules) for each in wanted}
    syncs = next(each for each in wanted if each.name == SYNC)
    for schedule in (listed := channels(channels_file or settings.prefect.channels)):
        check_parameters(syncs.flow, schedule.parameters, f"The channel {schedule.slug}")
    schedules[SYNC] += listed
    try:
        with get_client(sync_client=True) as client:
            plan = Plan(client, rehearsal=rehearsal)
            with plan.remembering():
                deploy_pools(plan, wanted_pools)
                deploy_limits(plan, limits(settings))
                deploy_blocks(plan, documents(settings))
                for each in wanted:
                    deploy_schedules(plan, each.name, deploy_one(plan, each), schedules[each.name])
                plan.prune("deployment", [each.name for each in wanted], lambda name: remove(plan, name))
                deploy_automations(plan, automations(settings))
            return Provisioned(plan.changes, {} if rehearsal else unreachable(plan, documents(settings)))
    except httpx.HTTPStatusError as error:
        told = " ".join(str(error).split())[:300]
        raise StackError(f"The Prefect server refused: {told}.", remedy="Is it as new as Prefect here?") from error
    except httpx.TransportError as error:
        raise StackError(
            f"The Prefect server does not answer ({type(error).__name__}).", remedy="Look at prefect.api_url."
        ) from error


def deploy_one(plan: Plan, wanted: Declared) -> UUID | None:
    """The deployment's id; None where a rehearsal did not make it."""
    values = fields(wanted)
    try:
        found = plan.client.read_deployment_by_name(wanted.name)
    except ObjectNotFound:
        made: list[UUID] = []
        plan.create("deployment", wanted.name, lambda: made.append(create(plan, wanted, values)))
        return made[0] if made else None
    there = found.model_dump(mode="json")
    there["concurrency_limit"] = found.global_concurrency_limit.limit if found.global_concurrency_limit else None
    changed = [name for name, value in values.items() if there.get(name) != value]
    if changed:
        update = DeploymentUpdate(**values)
        plan.update("deployment", wanted.name, changed, lambda: plan.client.update_deployment(found.id, update))
    return found.id


def fields(wanted: Declared) -> dict[str, Any]:
    """What is declared of a deployment, as the server's JSON has it. Whether it is paused is for people to change."""
    entry = wanted.entry
    values = {
        "description": entry.description,
        "entrypoint": entry.entrypoint,
        "work_pool_name": entry.work_pool.name,
        "tags": sorted({TAG, *entry.tags}),
        "parameters": entry.parameters,
        "parameter_openapi_schema": wanted.schema,
        "enforce_parameter_schema": True,
        "pull_steps": wanted.pull_steps,
        "concurrency_limit": entry.concurrency_limit,
        "version": __version__,
    }
    loaded: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return loaded


def create(plan: Plan, wanted: Declared, values: dict[str, Any]) -> UUID:
    flow = plan.client.create_flow_from_name(wanted.flow.name)
    return plan.client.create_deployment(flow, wanted.entry.name, **values)


def remove(plan: Plan, name: str) -> None:
    plan.client.delete_deployment(plan.client.read_deployment_by_name(name).id)
