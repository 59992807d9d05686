"""What the server does by itself about runs that stopped living, or do not end.

Only runs of deployments: they carry the tag `channelscribe`. A person who switches an automation off finds it off
after the next deploy, too.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from prefect.client.schemas.objects import StateType
from prefect.events.actions import CancelFlowRun, ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from channelscribe.settings import Settings
from deployments.declared import TAG
from deployments.plan import Plan
from tasks.zombie_runs import HEARTBEAT, LOST_AFTER

ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled")}
OURS = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
A_RUN = {"prefect.resource.id": "prefect.flow-run.*"}


def automations(settings: Settings) -> list[AutomationCore]:
    """All automations; their names are theirs for good."""
    found = [lost_runs(LOST_AFTER)]
    if settings.prefect.longest_run_hours:
        found.append(endless_runs(timedelta(hours=settings.prefect.longest_run_hours)))
    return found


def lost_runs(within: timedelta) -> AutomationCore:
    """A run whose process was killed never says so: without heartbeats it counts as crashed."""
    return AutomationCore(
        name="channelscribe: lost runs",
        description=f"A run without a heartbeat for {within.total_seconds():.0f} s has crashed.",
        trigger=silent_since({HEARTBEAT}, {HEARTBEAT, *ENDED}, within),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, name="Crashed", message="No sign of life: the process was killed, or its host."
            )
        ],
    )


def endless_runs(within: timedelta) -> AutomationCore:
    """What a run that is cancelled had in hand goes back; the next one goes on there."""
    return AutomationCore(
        name="channelscribe: endless runs",
        description=f"A run that has not ended after {within.total_seconds() / 3600:g} h is cancelled.",
        trigger=silent_since({"prefect.flow-run.Running"}, {*ENDED, "prefect.flow-run.Cancelling"}, within),
        actions=[CancelFlowRun()],
    )


def silent_since(after: set[str], expected: set[str], within: timedelta) -> EventTrigger:
    """Fires for a run when none of the expected came within that time after one of the others."""
    return EventTrigger(
        after=after,
        expect=expected,
        match=A_RUN,
        match_related=OURS,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


def deploy_automations(plan: Plan, wanted: list[AutomationCore]) -> None:
    for automation in wanted:
        found = plan.client.read_automations_by_name(automation.name)
        if not found:
            plan.create("automation", automation.name, partial(plan.client.create_automation, automation))
            continue
        there = found[0]
        changed = [
            name for name in ("description", "trigger", "actions") if getattr(there, name) != getattr(automation, name)
        ]
        if changed:
            new = automation.model_copy(update={"enabled": there.enabled})
            plan.update(
                "automation",
                automation.name,
                changed,
                partial(plan.client.update_automation, there.id, new),
            )

    def remove(name: str) -> None:
        for automation in plan.client.read_automations_by_name(name):
            plan.client.delete_automation(automation.id)

    plan.prune("automation", [automation.name for automation in wanted], remove)
