"""The automations that tell people, as Prefect reads them; what they send is tried in test_notifications."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.events.schemas.events import ReceivedEvent
from prefect.server.events.actions import SendNotification
from prefect.server.events.schemas.events import ReceivedEvent as ServerEvent
from prefect.server.utilities.user_templates import render_user_template_sync
from prefect.types._datetime import now

from channelscribe.errors import InvalidSetting, SignInRequired, SourceBlocked
from channelscribe.settings import Settings
from channelscribe.settings.options import NotifyOptions
from deployments.automations import TROUBLES, notifications, triggered
from deployments.channels import Channel
from deployments.declared import declared
from flows.forms import Failure, SyncSummary
from tasks import events, telling

BLOCK = "slack-webhook/operators"


def plan(*known: str) -> Any:
    def read(name: str, kind: str) -> Any:
        from prefect.exceptions import ObjectNotFound

        if f"{kind}/{name}" not in known:
            raise ObjectNotFound(Exception())
        return SimpleNamespace(id=uuid4())

    return SimpleNamespace(client=SimpleNamespace(read_block_document_by_name=read))


def channel(**more: Any) -> Any:
    return Channel(name="radio", source="https://example.org/radio", cron="0 6 * * *", **more).schedule()


def told_events(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(events, "emit", lambda *given, **more: found.append(events.made(*given, **more)))
    telling.of_source("https://example.org/radio", SourceBlocked("They ask for a captcha.", remedy="Wait."))
    telling.of_source("https://example.org/radio", SignInRequired("Who are you?"))
    lost = Failure(video="v1", title="A title", reason="private", message="It is private.", remedy="", retry_at=None)
    summary = SyncSummary(source="https://example.org/radio", failed=1, failures=[lost], flow_run="x")
    telling.finished("sync", summary.model_dump(mode="json"), 0.5)
    telling.canary("https://example.org/radio", SourceBlocked("They ask for a captcha."))
    return found


def test_each_trouble_has_its_automation_and_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    made = notifications(plan(BLOCK), Settings(notify=NotifyOptions(to=(BLOCK,))), [channel()])
    assert len({each.name for each in made}) == len(made) == len(TROUBLES)
    happened = told_events(monkeypatch)
    for each in made:
        trigger: Any = each.trigger
        matching = [event for event in happened if trigger.expect == {event.event}]
        (event,) = matching
        received = ServerEvent.model_validate({**event.model_dump(), "received": now("UTC")})
        labels = dict(received.resource.items())
        assert all(trigger.match.matches(received.resource) for _ in (1,)), labels
        assert trigger.within.total_seconds() == 86400 and trigger.threshold == 1
        action: Any = each.actions[0]
        for template in (action.subject, action.body):
            assert SendNotification.validate_template(template, "body") == template
        text = [render_user_template_sync(template, {"event": received}) for template in (action.subject, action.body)]
        assert "example.org/radio" in text[0] and "{{" not in "".join(text)
        assert text[1].strip()
    assert {each.event for each in happened} == {f"channelscribe.{trouble.event}" for trouble in TROUBLES}


def test_a_channel_tells_its_own_block_of_its_own_syncs() -> None:
    own = "discord-webhook/radio"
    made = notifications(plan(BLOCK, own), Settings(notify=NotifyOptions(to=(BLOCK,))), [channel(notify=[own, BLOCK])])
    (extra,) = [each for each in made if own in each.name]
    trigger: Any = extra.trigger
    assert extra.name == f"channelscribe: radio failed, to {own}"
    assert trigger.match.root["prefect.resource.id"] == "channelscribe.source.https://example.org/radio"


def test_a_block_that_is_not_there_is_told() -> None:
    with pytest.raises(InvalidSetting, match=f"no notification block {BLOCK}"):
        notifications(plan(), Settings(notify=NotifyOptions(to=(BLOCK,))), [])


def test_the_events_are_prefects(monkeypatch: pytest.MonkeyPatch) -> None:
    for event in told_events(monkeypatch):
        assert ReceivedEvent.model_validate({**event.model_dump(mode="json"), "received": now("UTC")}).id == event.id


def test_triggers_of_prefect_yaml_follow_from_events_that_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {each.name: uuid4() for each in declared()}
    made = triggered(declared(), ids)
    assert made and all(each.name.startswith("channelscribe: ") for each in made)
    happened = {event.event: event for event in told_events(monkeypatch)}
    for each in made:
        trigger: Any = each.trigger
        (name,) = trigger.expect
        assert trigger.match.matches(happened[name].resource)
        action: Any = each.actions[0]
        assert (action.type, action.deployment_id in ids.values()) == ("run-deployment", True)
