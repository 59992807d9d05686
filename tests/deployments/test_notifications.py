"""Notifications on a real Prefect server: its automations tell real sinks of troubles, once, after the quiet hours."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.orchestration import SyncPrefectClient
from pydantic import SecretStr

from channelscribe.errors import InvalidSetting, SignInRequired
from channelscribe.local_stack.services import free_port
from channelscribe.settings import Settings
from channelscribe.settings.options import NotifyOptions
from deployments.provision import provision
from flows.forms import Failure, SyncSummary
from tasks import events, telling
from tests.notify.conftest import Sink, sink

__all__ = ["sink"]

SECONDS = 120.0


@pytest.mark.parametrize(
    ("hours", "zone", "utc", "quiet"),
    [
        ("22:00-07:00", "UTC", "23:30", True),
        ("22:00-07:00", "UTC", "06:59", True),
        ("22:00-07:00", "UTC", "07:00", False),
        ("22:00-07:00", "Europe/Berlin", "21:30", True),  # in winter an hour later there
        ("12:00-13:00", "UTC", "12:30", True),
        ("12:00-13:00", "UTC", "13:30", False),
        (None, "UTC", "03:00", False),
    ],
)
def test_quiet_hours(hours: str | None, zone: str, utc: str, quiet: bool) -> None:
    options = NotifyOptions(quiet_hours=hours, timezone=zone)
    assert options.is_quiet(datetime.fromisoformat(f"2026-01-31T{utc}:00+00:00")) is quiet


class Mails:
    def __init__(self) -> None:
        self.got: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.got.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[str, Mails]]:
    """Apprise's address of a mail server on loopback, and what came."""
    mails = Mails()
    port = free_port()
    controller = Controller(mails, hostname="127.0.0.1", port=port)
    controller.start()
    yield f"mailto://127.0.0.1:{port}?from=room@example.org&to=ops@example.org&mode=insecure", mails
    controller.stop()


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.long
@pytest.mark.stack
def test_troubles_reach_a_webhook_and_a_mailbox_once(
    server: SyncPrefectClient, sink: Sink, mailbox: tuple[str, Mails], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid4().hex[:8]
    address, mails = mailbox
    hook = CustomWebhookNotificationBlock(
        name="sink", url=sink.url, json_data={"subject": "{{subject}}", "body": "{{body}}"}
    )
    hook.save(f"hook-{mark}")
    SlackWebhook(url=SecretStr(address)).save(f"mail-{mark}")
    options = NotifyOptions(to=(f"custom-webhook/hook-{mark}", f"slack-webhook/mail-{mark}"), quiet_hours="00:00-23:59")
    settings = Settings(notify=options)
    with pytest.raises(InvalidSetting, match="no notification block slack-webhook/none"):
        provision(Settings(notify=NotifyOptions(to=("slack-webhook/none",))))
    made = {change.name for change in provision(settings).changes if change.kind == "automation"}
    assert len([name for name in made if mark in name]) == 8
    assert [change for change in provision(settings).changes if change.kind == "automation"] == []

    source = f"https://example.org/{mark}"
    now = {"settings": settings}
    monkeypatch.setattr(telling, "own_settings", lambda: now["settings"])
    telling.of_source(source, SignInRequired("The cookies have expired.", remedy="Give new ones."))
    assert events.flush()
    now["settings"] = Settings(notify=options.model_copy(update={"quiet_hours": None}))
    lost = Failure(video="v1", title="A title", reason="private", message="It is private.", remedy="", retry_at=None)
    summary = SyncSummary(source=source, failed=1, failures=[lost], flow_run="x").model_dump(mode="json")
    for _ in range(2):
        telling.finished("sync", summary, 0.5)
    assert events.flush()
    until(lambda: bool(sink.got and mails.got))
    now["settings"] = Settings(notify=options.model_copy(update={"quiet_hours": "00:00-00:01"}))
    if now["settings"].notify.is_quiet(datetime.now(UTC)):
        pytest.skip("the minute of quiet hours is now")
    until(lambda: telling.tell_held() > 0 or len(sink.got) > 1)  # the server keeps events a moment after it took them
    until(lambda: len(sink.got) > 1 and len(mails.got) > 1)
    until(lambda: telling.tell_held() == 0)  # what was told again is known as soon as the server has kept it
    bodies = [json.loads(body) for _, body in sink.got]
    assert sorted(each["subject"] for each in bodies) == [
        f"{source} needs somebody",
        f"{source}: 0 published, 1 failed",
    ]
    assert any("A title: It is private. [private]" in each["body"] for each in bodies)
    assert any("The cookies have expired. Give new ones. [sign_in" in each["body"] for each in bodies)
    assert len(mails.got) == 2 and all("ops@example.org" in each for each in mails.got)
    provision(Settings())  # and they go
    assert not [each for each in server.read_automations() if mark in each.name]
