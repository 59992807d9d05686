"""Delivers what watches found: a round over the outbox tells what is due, until nothing is.

Webhooks and feeds are told here, in any process with the catalogue. Events and blocks are Prefect's: who has a server
gives `events` and `blocks`. What nobody here can tell stays for who can.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.watches import EVENT, FEED, Hit, Outcome, deliver_next
from channelscribe.notify.atom import write_feed
from channelscribe.notify.webhooks import is_webhook, post
from channelscribe.store import MediaStore

__all__ = ["Told", "deliver"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Told:
    """Counts of a round."""

    told: int = 0
    failed: int = 0
    given_up: int = 0

    def add(self, outcome: Outcome) -> None:
        if outcome.error is None:
            self.told += 1
        else:
            self.failed += 1
            self.given_up += outcome.given_up


def deliver(
    catalogue: Database,
    store: MediaStore,
    *,
    allow_private: bool = False,
    events: Callable[[Hit], None] | None = None,
    blocks: Callable[[Hit, str], None] | None = None,
) -> Told:
    """Tell all that is due. `events(hit)` and `blocks(hit, name)` raise what keeps them from it."""

    def tell(hit: Hit, target: str) -> None:
        if target == FEED:
            write_feed(catalogue, store, hit.watch)
        elif target == EVENT and events is not None:
            events(hit)
        elif is_webhook(target):
            post(target, hit.key, hit.to_dict(), hit.secret, allow_private=allow_private)
        elif blocks is not None:
            blocks(hit, target)

    counts = Told()
    targets = [FEED] if events is None else [FEED, EVENT]
    while ended := deliver_next(catalogue, tell, targets, blocks=blocks is not None):
        for outcome in ended:
            counts.add(outcome)
            if outcome.error is not None:
                end = "given up after a day" if outcome.given_up else "tried again"
                _log.warning(
                    "watch %s: %s was not told (%s): %s", outcome.hit.watch, outcome.target, end, outcome.error
                )
    return counts
