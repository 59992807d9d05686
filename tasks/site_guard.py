"""Asking a site: not while it blocks this address, not faster than the budget, and with what it says remembered.

The budget is one of Prefect's global limits, a rate, shared by all flows and machines that have the same outgoing
address (`sources.egress`). `provide_budgets` and `channelscribe deploy` create it;
without it nothing is asked (`strict`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.client.orchestration import get_client
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import rate_limit

from channelscribe.catalogue import breakers
from channelscribe.errors import StackError
from channelscribe.settings import SourceOptions
from channelscribe.sources.budgets import budget_of, budgets, egress_of
from tasks.resources import catalogue
from tasks.retry_while_away import patiently


def provide_budgets(options: SourceOptions) -> None:
    """The limits, on a server that nobody deployed to. Again it changes nothing; a changed rate is written."""
    with get_client(sync_client=True) as client:
        for budget in budgets(options):
            client.upsert_global_concurrency_limit_by_name(budget.name, 1, budget.per_second)


@contextmanager
def asking(scope: str, options: SourceOptions) -> Iterator[None]:
    """Around all requests for one video: its site's breaker is closed, and it is this address's turn."""
    with breakers.asking(catalogue(), scope, egress_of(options)):
        take_turn(scope, options)
        yield


def take_turn(scope: str, options: SourceOptions) -> None:
    """Wait until the budget of this site allows another video, and a random moment more."""
    limit = budget_of(scope, options)
    if limit is None:
        return
    try:
        patiently(lambda: rate_limit(limit.name, occupy=1, strict=True))
    except (ConcurrencySlotAcquisitionError, RuntimeError) as error:
        raise StackError(
            f"The limit {limit.name} is not on the Prefect server, or not to be had: {error}.",
            remedy="A `channelscribe sync` with these settings creates it.",
        ) from error
    time.sleep(random.uniform(0, options.pause_seconds))
