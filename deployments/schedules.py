"""The schedules of a deployment, one by one: a person who paused one finds it paused after the next deploy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule

from deployments.declared import FROM_GIT, DeclaredSchedule
from deployments.plan import Plan


def deploy_schedules(plan: Plan, name: str, deployment: UUID | None, wanted: Sequence[DeclaredSchedule]) -> None:
    """Of the deployment `name`, which a rehearsal may not find. Schedules without our slug are people's own."""
    if deployment is None:
        for schedule in wanted:
            plan.create("schedule", title(name, schedule.slug), lambda: None)
        return
    there = ours(plan.client.read_deployment_schedules(deployment))
    for schedule in wanted:
        found = there.pop(schedule.slug, None)
        if found is None:
            plan.create("schedule", title(name, schedule.slug), partial(create, plan, deployment, schedule))
        elif changed := differing(found, schedule):
            new: dict[str, Any] = {"schedule": schedule.schedule(), "parameters": schedule.parameters}
            change = partial(plan.client.update_deployment_schedule, deployment, found.id, **new)
            plan.update("schedule", title(name, schedule.slug), changed, change)
    for slug, gone in there.items():
        remove = partial(plan.client.delete_deployment_schedule, deployment, gone.id)
        plan.remove("schedule", title(name, slug), remove)


def title(deployment: str, slug: str) -> str:
    return f"{deployment}: {slug.removeprefix(FROM_GIT)}"


def ours(schedules: Sequence[DeploymentSchedule]) -> dict[str, DeploymentSchedule]:
    return {each.slug: each for each in schedules if each.slug and each.slug.startswith(FROM_GIT)}


def differing(found: DeploymentSchedule, wanted: DeclaredSchedule) -> list[str]:
    """Not `active`: that is for people to change."""
    there = found.schedule
    same = {
        "cron": isinstance(there, CronSchedule) and there.cron == wanted.cron,
        "timezone": isinstance(there, CronSchedule) and there.timezone == wanted.timezone,
        "parameters": found.parameters == wanted.parameters,
    }
    return [name for name, equal in same.items() if not equal]


def create(plan: Plan, deployment: UUID, schedule: DeclaredSchedule) -> None:
    made = DeploymentScheduleCreate(
        schedule=schedule.schedule(), active=schedule.active, parameters=schedule.parameters, slug=schedule.slug
    )
    plan.client.create_deployment_schedules(deployment, [made])
