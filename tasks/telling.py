"""Tells what watches found: the round of `channelscribe.notify`, with Prefect's events and blocks."""

from __future__ import annotations

import logging
import threading
from typing import Any
from uuid import UUID

from prefect.blocks.core import Block
from prefect.settings import get_current_settings

from channelscribe.catalogue.search import url_at
from channelscribe.catalogue.watches import Hit
from channelscribe.notify.delivery import Told, deliver
from tasks import events
from tasks.resources import catalogue, own_settings, store

__all__ = ["tell_of_watches", "tell_soon", "text_of"]

LINES = 5

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


def said(hit: Hit) -> None:
    """As an event. Its id is made from the hit's key: told twice, it is the same."""
    payload = hit.to_dict()
    events.send("phrase.said", f"watch.{hit.watch}", payload, event_id=UUID(hit.key), label=hit.query)


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
