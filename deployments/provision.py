"""Brings a Prefect server to what is declared: pools, limits, blocks, automations, deployments and their schedules.

Everything is read and checked before the server hears of anything. What is as declared is not written, so that a
second deploy changes nothing; what is not declared any more is removed. Needs the server at `PREFECT_API_URL`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyOptions, DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse

from channelscribe import __version__
from channelscribe.errors import ChannelscribeError, StackError
from channelscribe.settings import Settings
from deployments.automations import TAG, deploy_automations, triggered
from deployments.capacity import deploy_limits, deploy_pools, prune_pools
from deployments.channels import channels
from deployments.declared import FROM_GIT, Declared, DeclaredSchedule, check_parameters, declared
from deployments.documents import deploy_blocks, documents, unreachable
from deployments.plan import Change, Plan, found

SYNC = "sync-channel/channel-sync"
"""The deployment that has a schedule for each channel."""

FORMER = {
    SYNC: "sync-channel/default",
    "transcribe-audio/gpu-transcription": "transcribe-audio/gpu",
    "process-text/text-processing": "process-text/default",
    "retranscribe/retranscription": "retranscribe/default",
    "sweep/hourly-sweep": "sweep/hourly",
}
"""What deployments were called in 0.1.0. Their schedules move, as they are; drop with the release after the next."""

NOWHERE = UUID(int=0)  # of a deployment that a rehearsal did not make


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What was changed, or would be, and the blocks whose connection does not work from here."""

    changes: list[Change]
    unreachable: dict[str, ChannelscribeError] = field(default_factory=dict)


def provision(settings: Settings, *, channels_file: Path | None = None, rehearsal: bool = False) -> Provisioned:
    """Raises InvalidSetting for what is declared wrongly, StackError when the server does not answer."""
    wanted = declared()
    schedules = {each.name: list(each.entry.schedules) for each in wanted}
    syncs = next(each for each in wanted if each.name == SYNC)
    for schedule in (listed := channels(channels_file or settings.prefect.channels)):
        check_parameters(syncs.flow, schedule.parameters, f"The channel {schedule.slug}")
    schedules[SYNC] += listed
    try:
        with get_client(sync_client=True) as client:
            plan = Plan(client, rehearsal=rehearsal)
            with plan.remembering():
                deploy_pools(plan, settings)
                deploy_limits(plan, settings)
                deploy_blocks(plan, documents(settings))
                ids = {each.name: deploy_one(plan, each) for each in wanted}
                for each in wanted:
                    deploy_schedules(plan, each.name, ids[each.name], schedules[each.name])
                plan.prune("deployment", [each.name for each in wanted], lambda name: remove(plan, name))
                prune_pools(plan)
                deploy_automations(
                    plan, settings, listed, triggered(wanted, {name: found or NOWHERE for name, found in ids.items()})
                )
            return Provisioned(plan.changes, {} if rehearsal else unreachable(plan, documents(settings)))
    except httpx.HTTPStatusError as error:
        told = " ".join(str(error).split())[:300]
        raise StackError(f"The Prefect server refused: {told}.", remedy="Is it as new as Prefect here?") from error
    except httpx.TransportError as error:
        raise StackError(
            f"The Prefect server does not answer ({type(error).__name__}).", remedy="Look at prefect.api_url."
        ) from error


def deploy_one(plan: Plan, wanted: Declared) -> UUID | None:
    """The id of the deployment that has its schedules; None where a rehearsal did not make it."""
    client, values = plan.client, fields(wanted)
    there = found(client.read_deployment_by_name, wanted.name)
    former = found(client.read_deployment_by_name, FORMER[wanted.name]) if wanted.name in FORMER else None
    if former is not None and TAG not in former.tags:
        former = None  # somebody else's
    made: list[UUID] = [each.id for each in (there, former) if each is not None]
    plan.bring(
        "deployment",
        wanted.name,
        values,
        there,
        create=lambda: made.insert(0, create(plan, wanted, values, former)),
        update=lambda there: client.update_deployment(there.id, DeploymentUpdate(**values)),
        fields=as_json,
    )
    if former is not None:
        plan.remove("deployment", FORMER[wanted.name], lambda: remove(plan, FORMER[wanted.name]))
    return made[0] if made else None


def fields(wanted: Declared) -> dict[str, Any]:
    """What is declared of a deployment, as the server's JSON has it. Whether it is paused is for people to change."""
    entry, limit = wanted.entry, wanted.entry.concurrency_limit
    options = limit and ConcurrencyOptions(**limit.model_dump(exclude={"limit"}))
    values = {
        "description": entry.description,
        "entrypoint": entry.entrypoint,
        "work_pool_name": entry.work_pool.name,
        "work_queue_name": entry.work_pool.work_queue_name,
        "tags": sorted({TAG, *entry.tags}),
        "parameters": entry.parameters,
        "parameter_openapi_schema": wanted.schema,
        "enforce_parameter_schema": True,
        "pull_steps": wanted.pull_steps,
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": options and options.model_dump(mode="json"),
        "version": __version__,
    }
    loaded: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return loaded


def as_json(there: DeploymentResponse) -> dict[str, Any]:
    limit = there.global_concurrency_limit
    return {**there.model_dump(mode="json"), "concurrency_limit": limit and limit.limit}


def create(plan: Plan, wanted: Declared, values: dict[str, Any], former: DeploymentResponse | None) -> UUID:
    """With all the schedules of its former self, people's own too, and paused where that was."""
    flow = plan.client.create_flow_from_name(wanted.flow.name)
    moved = [
        DeploymentScheduleCreate(**each.model_dump(include={"schedule", "active", "parameters", "slug"}))
        for each in (former.schedules if former else ())
    ]
    options = values["concurrency_options"] and ConcurrencyOptions.model_validate(values["concurrency_options"])
    own = {**values, "concurrency_options": options, "schedules": moved, "paused": bool(former and former.paused)}
    return plan.client.create_deployment(flow, wanted.entry.name, **own)


def remove(plan: Plan, name: str) -> None:
    plan.client.delete_deployment(plan.client.read_deployment_by_name(name).id)


def deploy_schedules(plan: Plan, name: str, deployment: UUID | None, wanted: Sequence[DeclaredSchedule]) -> None:
    """Of the deployment `name`, one by one: a person who paused one finds it paused after the next deploy.

    Schedules without our slug are people's own. A rehearsal may not find the deployment.
    """
    listed = plan.client.read_deployment_schedules(deployment) if deployment else []
    there = {each.slug: each for each in listed if each.slug and each.slug.startswith(FROM_GIT)}
    for schedule in wanted:
        deploy_schedule(plan, name, deployment or NOWHERE, schedule, there.pop(schedule.slug, None))
    for slug, gone in there.items():
        remove = partial(plan.client.delete_deployment_schedule, deployment or NOWHERE, gone.id)
        plan.remove("schedule", title(name, slug), remove)


def deploy_schedule(
    plan: Plan, name: str, deployment: UUID, wanted: DeclaredSchedule, there: DeploymentSchedule | None
) -> None:
    """Not `active`, once it is there: that is for people to change."""
    values: dict[str, Any] = {"schedule": wanted.schedule(), "parameters": wanted.parameters}
    new = DeploymentScheduleCreate(slug=wanted.slug, active=wanted.active, **values)
    plan.bring(
        "schedule",
        title(name, wanted.slug),
        values,
        there,
        create=lambda: plan.client.create_deployment_schedules(deployment, [new]),
        update=lambda there: plan.client.update_deployment_schedule(deployment, there.id, **values),
    )


def title(deployment: str, slug: str) -> str:
    return f"{deployment}: {slug.removeprefix(FROM_GIT)}"
