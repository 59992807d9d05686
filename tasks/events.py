"""What is told as Prefect events: small, documented payloads (docs/notifications.md), for automations and others.

They are sent over HTTP by a thread of this process's own, in order, and once more for about a minute while the server
is away (`retry_while_away`); then they are lost, with a line in the log. Where there is no server nothing is sent, and
nothing waits for it. `send` is for what must not be lost: it raises.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from collections.abc import Mapping
from contextvars import Context, copy_context
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.events.schemas.events import Event, RelatedResource, Resource
from prefect.settings import get_current_settings

from tasks.retry_while_away import patiently

__all__ = ["PREFIX", "emit", "flush", "read", "send", "send_as"]

PREFIX = "channelscribe."
MOST_WAITING = 10_000

_log = logging.getLogger(__name__)
_waiting: queue.Queue[tuple[Context, Event]] = queue.Queue(MOST_WAITING)
_started = threading.Lock()
_thread: list[threading.Thread] = []


def made(
    name: str,
    resource: str,
    payload: Mapping[str, Any],
    *,
    title: str = "",
    labels: Mapping[str, str] | None = None,
    event_id: UUID | None = None,
) -> Event:
    """An event of ours. `resource` is what it is about, such as `video.youtube.abc`; of a run it names the run.

    `labels` are what automations can look at; they see no payload.
    """
    flow, task = FlowRunContext.get(), TaskRunContext.get()
    run = task.task_run.flow_run_id if task else flow.flow_run.id if flow and flow.flow_run else None
    related = []
    if run:
        of_run = {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"}
        related.append(RelatedResource(of_run))
    about = {"prefect.resource.id": f"{PREFIX}{resource}", **(labels or {})}
    if title:
        about["prefect.resource.name"] = title[:200]
    return Event(
        event=f"{PREFIX}{name}",
        resource=Resource(about),
        related=related,
        payload=dict(payload),
        id=event_id or uuid4(),
    )


def emit(
    name: str,
    resource: str,
    payload: Mapping[str, Any],
    *,
    title: str = "",
    labels: Mapping[str, str] | None = None,
) -> None:
    """Tell it soon. Never fails, never waits."""
    try:
        if not get_current_settings().api.url:
            return
        _waiting.put_nowait((copy_context(), made(name, resource, payload, title=title, labels=labels)))
        with _started:
            if not _thread:
                _thread.append(threading.Thread(target=_send_all, name="events", daemon=True))
                _thread[0].start()
                atexit.register(flush, 5.0)
    except Exception as error:  # whatever it is, it is no part of the work
        _log.warning("the event %s is not told: %s: %s", name, type(error).__name__, error)


def flush(seconds: float = 60.0) -> bool:
    """Wait until all is told; whether it is."""
    deadline = time.monotonic() + seconds
    while _waiting.unfinished_tasks and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _waiting.unfinished_tasks


def send(name: str, resource: str, payload: Mapping[str, Any], *, event_id: UUID, title: str = "") -> None:
    """Tell it now; with the same id again it is the same event. Raises httpx.HTTPError."""
    _post([made(name, resource, payload, title=title, event_id=event_id)])


def send_as(number: UUID, name: str, resource: Mapping[str, str], payload: Mapping[str, Any]) -> None:
    """Tell an event as it was told before, under another id. Raises httpx.HTTPError."""
    _post([Event(event=name, resource=Resource(dict(resource)), payload=dict(payload), id=number)])


def read(wanted: Mapping[str, Any], most: int = 200) -> list[dict[str, Any]]:
    """The server's events that a filter of Prefect's API finds, the newest first. Raises httpx.HTTPError."""
    with get_client(sync_client=True) as client:
        answer = client._client.post("/events/filter", json={"filter": dict(wanted), "limit": min(most, 50)})
        answer.raise_for_status()
        told = answer.json()
        found: list[dict[str, Any]] = told["events"]
        while told["next_page"] and len(found) < most:
            answer = client._client.get(told["next_page"])
            answer.raise_for_status()
            told = answer.json()
            found += told["events"]
    return found


def _send_all() -> None:
    while True:
        context, event = _waiting.get()
        try:
            context.run(patiently, partial(_post, [event]))  # Prefect's settings are those of whoever tells it
        except Exception as error:
            _log.warning("the event %s is lost: %s: %s", event.event, type(error).__name__, error)
        finally:
            _waiting.task_done()


def _post(events: list[Event]) -> None:
    with get_client(sync_client=True) as client:
        answer = client._client.post("/events", json=[event.model_dump(mode="json") for event in events])
        answer.raise_for_status()
