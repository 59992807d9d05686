"""The first step of a sync, and all of one that finds nothing: list a source, write what it lists, judge it.

Needs the catalogue alone, so that a command can look before it starts an engine, and a flow before it asks for workers.
`catalogue` is the database, `source` the name that a source goes by (`listings.keep_address`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from channelscribe.catalogue import breakers, leases, listings, triage, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.leases import SourceLock
from channelscribe.catalogue.listings import ListingReport
from channelscribe.catalogue.triage import DryRun, Judge, record_listing
from channelscribe.errors import JITTER, RETRY_DELAYS, ChannelscribeError, SourceBlocked, is_worth_retrying
from channelscribe.settings import FilterOptions, SourceOptions
from channelscribe.sources.budgets import egress_of
from channelscribe.sources.filters import verdict
from channelscribe.sources.identifiers import FEED
from channelscribe.sources.listing import Listing
from channelscribe.sources.listing import list_source as list_videos
from channelscribe.sources.site_key import scope_of, scope_of_video
from channelscribe.sources.subscriptions import directory_of

__all__ = ["Listed", "Rehearsed", "ask_again", "judge_of", "list_source", "only_sync_of", "patiently", "rehearse"]

MOST_NAMED = 5
WAIT_SECONDS = 2.0
R = TypeVar("R")


@dataclass(frozen=True)
class Listed:
    """What a listing left in the catalogue: a source and counts of its videos.

    `incomplete` says why the listing ended early; `blocked`: the site refuses this address, so nothing is asked of it.
    `notes` say what was left out and why, where a feed has gone, and of what there is another recording now.
    """

    source_pk: int
    title: str
    listed: int
    new: int
    changed: int
    gone: int
    notes: list[str] = field(default_factory=list)
    incomplete: str | None = None
    blocked: bool = False


@dataclass(frozen=True)
class Rehearsed:
    """What a sync would do and why; what the listing says, and why it ended early."""

    found: DryRun
    notes: list[str]
    incomplete: str | None


@contextmanager
def only_sync_of(catalogue: Database, source: str, name: str, *, wait: bool) -> Iterator[str | None]:
    """Hold a source for a run called `name`, so that one sync works on it at a time.

    Yields None, or the name of the run that is at it. With `wait` that one's end is waited for. The database forgets
    the hold with the connection, however the run ends.
    """
    with SourceLock(catalogue, source, name) as lock:
        other = lock.take()
        while other is not None and wait:
            time.sleep(WAIT_SECONDS)
            other = lock.take()
        yield other


def list_source(
    catalogue: Database, source: str, options: SourceOptions, filters: FilterOptions, *, full: bool = False
) -> Listed:
    """Read the source's flat listing and record it. Raises what `sources.listing.list_source` does."""
    listing = _read(catalogue, source, options, full)
    report = record_listing(catalogue, listing, judge_of(options, filters), filters.newest)
    return Listed(
        source_pk=report.source_pk,
        title=listing.title or catalogue.run(listings.title_of, report.source_pk),  # what has not changed tells none
        listed=report.listed,
        new=report.new,
        changed=report.changed,
        gone=report.gone,
        notes=_notes(listing, report, source),
        incomplete=str(listing.error) if listing.error else None,
        blocked=isinstance(listing.error, SourceBlocked),
    )


def rehearse(
    catalogue: Database,
    source: str,
    options: SourceOptions,
    filters: FilterOptions,
    limit: int | None,
    *,
    full: bool = False,
    again: Sequence[str] = (),
) -> Rehearsed:
    """List the source, and say what a sync would do; nothing is written. `again` as in `ask_again`."""
    listing = _read(catalogue, source, options, full)
    found = catalogue.run(triage.dry_run, listing, judge_of(options, filters), limit, filters.newest, again)
    return Rehearsed(found, _notes(listing, found.report, source), str(listing.error) if listing.error else None)


def ask_again(catalogue: Database, source_pk: int, reasons: Sequence[str], wanted: Sequence[str]) -> None:
    """Have the source's videos tried again that failed for one of the reasons, and the wanted ones fetched and
    transcribed anew. Raises UnknownVideo.
    """
    if reasons:
        catalogue.run(leases.make_due, source_pk, reasons)
    if wanted:
        pks = [pk for word in wanted for pk in catalogue.run(videos.of_source, source_pk, word)]
        catalogue.run(leases.refetch, pks)


def judge_of(options: SourceOptions, filters: FilterOptions) -> Judge:
    """The filters of the run, and whether there is an account that members' videos may be for."""
    return partial(verdict, filters=filters, has_account=bool(options.cookies_file or options.cookies))


def patiently(call: Callable[[], R]) -> R:
    """What `call` returns, which is called again after failures that pass, as a flow's steps are."""
    for delay in RETRY_DELAYS:
        try:
            return call()
        except ChannelscribeError as error:
            if not is_worth_retrying(error):
                raise
        time.sleep(delay * random.uniform(1, 1 + JITTER))
    return call()


def _read(catalogue: Database, source: str, options: SourceOptions, full: bool) -> Listing:
    """To its end when that is due, else a channel's newest only. `source` goes without its passwords and tokens."""
    whole = full or catalogue.run(listings.full_listing_due, source, options.full_listing_hours)
    all_known = None if whole else (lambda seen: catalogue.run(listings.all_listed, source, seen))
    memory = catalogue.run(listings.memory_of, source)
    if full:
        memory.pop("reader", None)  # asked for whole, changed or not
    # What was read as a feed is of no site; to ask all extractors of yt-dlp is half a second of work.
    is_feed = memory.get("kind") == "feed" and directory_of(source) is None
    scope = scope_of_video(FEED, source) if is_feed else scope_of(source)
    egress = egress_of(options)
    with breakers.asking(catalogue, scope, egress):
        asked = catalogue.run(listings.whole_address, source)
        listing = list_videos(asked, options, all_known=all_known, memory=memory)
    if listing.error is not None:
        listing.error = breakers.learn(catalogue, scope, egress, listing.error)
    return listing


def _notes(listing: Listing, report: ListingReport, source: str) -> list[str]:
    """What a listing says beside its counts."""
    notes = list(listing.notes)
    if report.filtered:
        notes.append(f"{report.filtered} left out by the filters of this sync, for this source")
    if report.wanted:
        notes.append(f"{report.wanted} wanted again, which the filters of an earlier sync of this source had left out")
    if not report.replaced:
        return notes
    names = ", ".join(report.replaced[:MOST_NAMED]) + (", …" if len(report.replaced) > MOST_NAMED else "")
    again = f"`channelscribe sync {source} --refetch {report.replaced[0]}` fetches one anew."
    return [*notes, f"{len(report.replaced)} changed: there is another recording of {names} now. {again}"]
