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
from channelscribe.errors import (
    ChannelscribeError,
    FilteredOut,
    NoMedia,
    NotYet,
    SignInRequired,
    SourceBlocked,
    SourceNotFound,
    StackError,
    SuspectedBlock,
    VideoUnavailable,
)
from channelscribe.settings import SourceOptions
from channelscribe.sources.budgets import budget_of, budgets, egress_of
from channelscribe.sources.site_key import scope_of
from tasks.resources import catalogue
from tasks.retry_while_away import patiently

ANSWERS = (FilteredOut, NoMedia, NotYet, SignInRequired, SourceNotFound, VideoUnavailable)
"""A no that only somebody gets who is not banned."""


def provide_budgets(options: SourceOptions) -> None:
    """The limits, on a server that nobody deployed to. Again it changes nothing; a changed rate is written."""
    with get_client(sync_client=True) as client:
        for budget in budgets(options):
            client.upsert_global_concurrency_limit_by_name(budget.name, 1, budget.per_second)


@contextmanager
def asking(scope: str, options: SourceOptions, *, budget: bool = True) -> Iterator[None]:
    """Around all requests for one listing or video. `scope` is the site, or the host of what is no known site.

    Raises SourceBlocked without a request while the breaker for this site and outgoing address is open. What the
    requests raise opens it: a block at once, what may be one when it comes in a row.
    """
    block = catalogue().run(breakers.admit, scope, egress_of(options))
    if block is not None:
        raise block.error()
    if budget:
        take_turn(scope, options)
    try:
        yield
    except ChannelscribeError as error:
        told = learn(scope, options, error)
        if told is error:
            raise
        raise told from error
    catalogue().run(breakers.note_success, scope, egress_of(options))


def learn(scope: str, options: SourceOptions, error: ChannelscribeError) -> ChannelscribeError:
    """Remember what an answer says of this address; returns the error to go on with."""
    if isinstance(error, SourceBlocked):
        return catalogue().run(breakers.note_block, scope, egress_of(options), error).error()
    if isinstance(error, SuspectedBlock):
        opened = catalogue().run(breakers.note_suspicion, scope, egress_of(options), error)
        return opened.error() if opened else error
    # Cookies are looked at before anything is asked; a bare "Video unavailable" is said to banned addresses, too.
    if isinstance(error, ANSWERS) and error.reason not in ("cookies", "proxy", VideoUnavailable.reason):
        catalogue().run(breakers.note_success, scope, egress_of(options))
    return error


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


def unblock(source: str) -> None:
    """Ask the site of a source again at once, whatever it said: the operator knows better."""
    catalogue().run(breakers.close, scope_of(source))
