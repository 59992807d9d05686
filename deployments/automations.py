"""What the server does by itself: about runs that stopped living or do not end, and to tell people of troubles.

The former are about runs of deployments only: they carry the tag `channelscribe`. The latter go to the notification
blocks that `notify.to` and channels name, once a day for each source. A person who switches an automation off finds it
off after the next deploy, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from prefect.events.schemas.automations import AutomationCore

from channelscribe.errors import InvalidSetting
from channelscribe.settings import Settings
from deployments.declared import FROM_GIT, Declared, DeclaredSchedule
from deployments.plan import Plan, found
from tasks.telling import OUTCOME, QUIET
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


@dataclass(frozen=True, slots=True)
class Trouble:
    """What people are told of: an event of `tasks.telling`, and the text. Jinja templates of Prefect's."""

    name: str
    event: str
    subject: str
    body: str
    match: dict[str, list[str]] = field(default_factory=dict)


REASON = "{{ event.payload['message'] }} {{ event.payload['remedy'] }} [{{ event.payload['reason'] }}]"
TROUBLES = (
    Trouble("needs somebody", "source.needs-operator", "{{ event.resource.name }} needs somebody", REASON),
    Trouble("blocked", "source.blocked", "{{ event.resource.name }} blocks this address", REASON),
    Trouble(
        "failed",
        "sync.finished",
        "{{ event.resource.name }}: {{ event.payload['published'] }} published, {{ event.payload['failed'] }} failed",
        "{{ event.payload['stopped'] or '' }}\n"
        "{% for each in event.payload['failures'] %}{{ each['title'] or each['video'] }}: {{ each['message'] }}"
        " [{{ each['reason'] }}]\n{% endfor %}",
        {OUTCOME: ["failed", "stopped"]},
    ),
    Trouble("canary failed", "canary.failed", "{{ event.resource.name }} does not come", REASON),
)


def told(trouble: Trouble, block: str, document: UUID, hours: float, sources: dict[str, str] | None) -> AutomationCore:
    """That a block is told of a trouble: of these sources by the name of the channel, or of all; once in some hours."""
    of = next(iter(sources), "") if sources else ""
    wanted = f"channelscribe.source.{sources[of]}" if sources else "channelscribe.source.*"
    return automation(
        f"channelscribe: {f'{of} ' if of else ''}{trouble.name}, to {block}",
        f"Tells {block}, of each source at most once in {hours:g} h.",
        {
            "type": "event",
            "posture": "Reactive",
            "expect": [f"channelscribe.{trouble.event}"],
            "match": {"prefect.resource.id": wanted, QUIET: "no", **trouble.match},
            "for_each": ["prefect.resource.id"],
            "threshold": 1,
            "within": timedelta(hours=hours),
        },
        {
            "type": "send-notification",
            "block_document_id": str(document),
            "subject": trouble.subject,
            "body": trouble.body,
        },
    )


def notifications(plan: Plan, settings: Settings, channels: Sequence[DeclaredSchedule]) -> list[AutomationCore]:
    """Of the settings and of channels. Raises InvalidSetting for a block that the server does not have."""
    made: list[AutomationCore] = []
    targets: list[tuple[str, dict[str, str] | None]] = [(block, None) for block in settings.notify.to]
    for channel in channels:
        own = {channel.slug.removeprefix(FROM_GIT): str(channel.parameters["request"]["source"])}
        targets += [(block, own) for block in channel.notify if block not in settings.notify.to]
    for block, source in targets:
        kind, _, name = block.partition("/")
        document = found(plan.client.read_block_document_by_name, name, kind)
        if document is None:
            raise InvalidSetting(
                f"The server has no notification block {block}.", remedy="Make it in the Prefect UI, then deploy again."
            )
        hours = settings.notify.once_in_hours
        troubles = TROUBLES if source is None else [each for each in TROUBLES if each.event == "sync.finished"]
        made += [told(each, block, document.id, hours, source) for each in troubles]
    return made


def triggered(wanted: Sequence[Declared], ids: dict[str, UUID]) -> list[AutomationCore]:
    """What `prefect.yaml` says that runs follow from, as Prefect's own `deploy` makes it."""
    made = []
    for each in wanted:
        for trigger in each.entry.triggers:
            own = trigger.model_copy(deep=True)
            own.set_deployment_id(ids[each.name])
            made.append(own.as_automation())
    return made


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


def deploy_automations(
    plan: Plan, settings: Settings, channels: Sequence[DeclaredSchedule] = (), more: Sequence[AutomationCore] = ()
) -> None:
    wanted = [*automations(settings), *notifications(plan, settings, channels), *more]
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
