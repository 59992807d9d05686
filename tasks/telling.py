"""What runs tell: events of videos, sites and their own end; and what watches found, by `channelscribe.notify`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from prefect.blocks.core import Block
from prefect.settings import get_current_settings

from channelscribe.catalogue.search import url_at
from channelscribe.catalogue.watches import Hit
from channelscribe.errors import AccessUnusable, ChannelscribeError, Then, as_ours
from channelscribe.notify.delivery import Told, deliver
from channelscribe.sources.addresses import display_url
from channelscribe.transcript import Transcript
from tasks import events
from tasks.records import VideoWork
from tasks.resources import catalogue, own_settings, store

__all__ = [
    "canary",
    "failed",
    "finished",
    "of_source",
    "published",
    "tell_held",
    "tell_of_held",
    "tell_of_watches",
    "tell_soon",
    "text_of",
]

LINES = 5
MOST_LISTED = 50

_log = logging.getLogger(__name__)
_wanted = threading.Event()
_started = threading.Lock()
_thread: list[threading.Thread] = []


def tell() -> Told:
    """Deliver all that is due, by anybody's run. What fails is tried again later."""
    has_server = bool(get_current_settings().api.url)
    return deliver(
        catalogue(),
        store(),
        allow_private=own_settings().notify.allow_private_addresses,
        events=said if has_server else None,
        blocks=notify if has_server else None,
    )


def tell_of_held() -> None:
    """By the hourly sweep. Never a reason to fail."""
    try:
        tell_held()
    except Exception as error:  # the next sweep does it
        _log.warning("what was held in quiet hours is told later: %s: %s", type(error).__name__, error)


def tell_of_watches() -> None:
    """At the end of a run. Never a reason to fail."""
    try:
        tell()
    except Exception as error:  # the outbox keeps it for the next round
        _log.warning("watches are told later: %s: %s", type(error).__name__, error)


def tell_soon() -> None:
    """The same in a thread of its own: whoever publishes does not wait for somebody's webhook."""
    with _started:
        _wanted.set()
        if not _thread:
            _thread.append(threading.Thread(target=_tell_when_wanted, name="watches", daemon=True))
            _thread[0].start()


def _tell_when_wanted() -> None:
    while True:
        _wanted.wait()
        _wanted.clear()
        tell_of_watches()


def published(video: VideoWork, version: int, transcript: Transcript) -> None:
    """The event of a video that is published."""
    payload = {**_about(video), "version": version, "language": transcript.language, "seconds": transcript.duration}
    events.emit("video.published", _resource(video), payload, title=video.title)


def failed(video: VideoWork, error: Exception) -> None:
    """The events of a video that failed, and of what its failure says of the site."""
    ours = as_ours(error)
    payload = {**_about(video), **_reason(ours)}
    events.emit("video.failed", _resource(video), payload, title=video.title, labels=_labels(ours))
    of_source(video.site, ours)


def of_source(source: str, error: BaseException) -> None:
    """The event of a site that blocks, or that somebody has to do something about."""
    ours = as_ours(error)
    name = "source.blocked" if ours.then is Then.STOP_SOURCE else "source.needs-operator"
    if ours.then in (Then.STOP_SOURCE, Then.ASK_OPERATOR) or isinstance(ours, AccessUnusable):
        shown = display_url(source) if "://" in source else source
        _emit(name, f"source.{shown}", {"source": shown, **_reason(ours)}, shown, _labels(ours))


def finished(flow: str, summary: Mapping[str, Any], share: float) -> None:
    """The event of a run's end, with its counts. `share` of failures from which it is called failed."""
    counts = {name: value[:MOST_LISTED] if isinstance(value, list) else value for name, value in summary.items()}
    source = str(summary.get("source") or flow)
    lost, done = int(summary.get("failed") or len(summary.get("failures") or ())), int(summary.get("published") or 0)
    outcome = "stopped" if summary.get("stopped") else "failed" if lost and lost >= share * (lost + done) else "done"
    payload = {**counts, "outcome": outcome}
    _emit(f"{flow}.finished", f"source.{source}", payload, source, {OUTCOME: outcome})


def canary(url: str, error: ChannelscribeError | None) -> None:
    """The event of a canary that was tried."""
    shown = display_url(url)
    payload = {"source": shown, **(_reason(error) if error else {})}
    name = "canary.failed" if error else "canary.passed"
    _emit(name, f"source.{shown}", payload, shown, _labels(error) if error else {})


OUTCOME, REASON = "channelscribe.outcome", "channelscribe.reason"
"""Labels that automations can look at."""


QUIET = "channelscribe.quiet"
"""The label of what is told in quiet hours: no automation of ours looks at it, until `tell_held` tells it again."""
HELD = timedelta(hours=26)


def tell_held() -> int:
    """Once the quiet hours are over: the troubles of them, each told again as of now; returns how many.

    They are the server's own events, and their second telling has an id made of the first's: none comes twice.
    """
    options = own_settings().notify
    if options.quiet_hours is None or options.is_quiet(datetime.now(UTC)) or not get_current_settings().api.url:
        return 0
    wanted = {
        "event": {"name": [f"{events.PREFIX}{name}" for name in TROUBLES]},
        "occurred": {"since": (datetime.now(UTC) - HELD).isoformat()},
    }
    found = events.read(wanted)
    known = {each["id"] for each in found}
    held = [each for each in found if each["resource"].get(QUIET) == "yes"]
    again = [(uuid5(UUID(each["id"]), "told later"), each) for each in reversed(held)]
    late = [(number, each) for number, each in again if str(number) not in known]
    for number, each in late:
        resource = {**each["resource"], QUIET: "no"}
        events.send_as(number, each["event"], resource, each["payload"])
    return len(late)


TROUBLES = ("source.blocked", "source.needs-operator", "sync.finished", "canary.failed")
"""Events that automations tell people of."""


def _emit(name: str, resource: str, payload: Mapping[str, Any], title: str, labels: Mapping[str, str]) -> None:
    quiet = "yes" if own_settings().notify.is_quiet(datetime.now(UTC)) else "no"
    events.emit(name, resource, payload, title=title, labels={**labels, QUIET: quiet})


def _about(video: VideoWork) -> dict[str, Any]:
    facts = {"site": video.site, "id": video.video_id, "title": video.title, "url": display_url(video.url)}
    return {**facts, "channel": video.channel}


def _resource(video: VideoWork) -> str:
    return f"video.{video.site}.{video.video_id}"


def _reason(error: ChannelscribeError) -> dict[str, Any]:
    until = error.not_before.isoformat() if error.not_before else None
    return {"reason": error.reason, "message": error.message, "remedy": error.remedy, "not_before": until}


def _labels(error: ChannelscribeError) -> dict[str, str]:
    return {REASON: error.reason}


def said(hit: Hit) -> None:
    """As an event. Its id is made from the hit's key: told twice, it is the same."""
    payload = hit.to_dict()
    events.send("phrase.said", f"watch.{hit.watch}", payload, event_id=UUID(hit.key), title=hit.query)


def notify(hit: Hit, name: str) -> None:
    """Through a notification block of Prefect's."""
    block: Any = Block.load(name)
    block.notify(subject=f"{hit.watch}: said in {hit.title or hit.video}"[:200], body=text_of(hit))


def text_of(hit: Hit) -> str:
    """A hit for people: what was said, when, and links that open there."""
    lines = [f"{hit.title or hit.video} ({hit.published or 'no date'})"]
    for each in hit.passages[:LINES]:
        who = f"{each['speaker']}: " if each["speaker"] else ""
        lines += [f"{who}{each['text']}", url_at(hit.site, hit.url, each["start"])]
    if len(hit.passages) > LINES:
        lines.append(f"and {len(hit.passages) - LINES} more")
    return "\n".join(lines)
