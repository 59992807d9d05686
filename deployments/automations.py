"""What the server does by itself about runs that stopped living, or do not end.

Only runs of deployments: they carry the tag `channelscribe`. A person who switches an automation off finds it off
after the next deploy, too.
"""

from __future__ import annotations

from datetime import timedelta

from prefect.events.schemas.automations import AutomationCore

from channelscribe.settings import Settings
from deployments.plan import Plan
from tasks.zombie_runs import HEARTBEAT, LOST_AFTER

TAG = "channelscribe"
"""That of every deployment, and so of its runs."""

RUN = "prefect.flow-run"
ENDED = [f"{RUN}.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled")]


def automations(settings: Settings) -> list[AutomationCore]:
    """All automations; their names are theirs for good."""
    hours = settings.prefect.longest_run_hours
    return [lost_runs(LOST_AFTER), *([endless_runs(timedelta(hours=hours))] if hours else [])]


def lost_runs(within: timedelta) -> AutomationCore:
    """A run whose process was killed never says so: without heartbeats it counts as crashed."""
    seconds = f"{within.total_seconds():.0f}"
    told = "No sign of life: the process was killed, or its host."
    return automation(
        "channelscribe: lost runs",
        f"A run without a heartbeat for {seconds} s has crashed.",
        silent([HEARTBEAT], [HEARTBEAT, *ENDED], within),
        {"type": "change-flow-run-state", "state": "CRASHED", "name": "Crashed", "message": told},
    )


def endless_runs(within: timedelta) -> AutomationCore:
    """What a run that is cancelled had in hand goes back; the next one goes on there."""
    return automation(
        "channelscribe: endless runs",
        f"A run that has not ended after {within.total_seconds() / 3600:g} h is cancelled.",
        silent([f"{RUN}.Running"], [*ENDED, f"{RUN}.Cancelling"], within),
        {"type": "cancel-flow-run"},
    )


def automation(name: str, description: str, trigger: dict[str, object], action: dict[str, object]) -> AutomationCore:
    said = {"name": name, "description": description, "trigger": trigger, "actions": [action]}
    return AutomationCore.model_validate(said)


def silent(after: list[str], expect: list[str], within: timedelta) -> dict[str, object]:
    """Fires for a run of ours when none of the expected came within that time after one of the others."""
    return {
        "type": "event",
        "posture": "Proactive",
        "after": after,
        "expect": expect,
        "match": {"prefect.resource.id": f"{RUN}.*"},
        "match_related": {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"},
        "for_each": ["prefect.resource.id"],
        "threshold": 1,
        "within": within,
    }


def deploy_automations(plan: Plan, settings: Settings) -> None:
    wanted = automations(settings)
    for each in wanted:
        deploy_automation(plan, each)

    def remove(name: str) -> None:
        for there in plan.client.read_automations_by_name(name):
            plan.client.delete_automation(there.id)

    plan.prune("automation", [each.name for each in wanted], remove)


def deploy_automation(plan: Plan, wanted: AutomationCore) -> None:
    client, name = plan.client, wanted.name
    plan.bring(
        "automation",
        name,
        {field: getattr(wanted, field) for field in ("description", "trigger", "actions")},
        next(iter(client.read_automations_by_name(name)), None),
        create=lambda: client.create_automation(wanted),
        update=lambda there: client.update_automation(there.id, wanted.model_copy(update={"enabled": there.enabled})),
    )
