"""List a source: its videos become rows; or only say what a sync would do."""

from __future__ import annotations

from functools import partial
from typing import Any

from prefect import task

from channelscribe.catalogue import leases, listings, triage, videos
from channelscribe.catalogue.listings import ListingReport
from channelscribe.catalogue.triage import DryRun, Judge, record_listing
from channelscribe.errors import SourceBlocked
from channelscribe.settings import SourceOptions
from channelscribe.sources.filters import verdict
from channelscribe.sources.listing import Listing
from channelscribe.sources.listing import list_source as list_videos
from channelscribe.sources.site_key import scope_of
from tasks.caching import RETRIES
from tasks.records import Listed, Options
from tasks.resources import catalogue, settings_of, source_options
from tasks.site_guard import asking, learn

# Without tags: a task that has some asks the server for slots of each first, which took up to seconds here.
MOST_NAMED = 5
LISTING: dict[str, Any] = {**RETRIES, "persist_result": False}


@task(name="list-source", **LISTING)
def list_source(source: str, options: Options, full: bool = False) -> Listed:
    """Read the source's flat listing and record it. Never cached: the point is to see what is new."""
    listing = read_listing(source, options, full)
    report = record_listing(catalogue(), listing, judge_of(options))
    return Listed(
        source_pk=report.source_pk,
        title=listing.title,
        listed=report.listed,
        new=report.new,
        changed=report.changed,
        gone=report.gone,
        notes=notes_of(listing, report, source),
        incomplete=str(listing.error) if listing.error else None,
        blocked=isinstance(listing.error, SourceBlocked),
    )


@task(name="dry-run", **LISTING)
def dry_run(
    source: str, options: Options, limit: int | None, full: bool = False
) -> tuple[DryRun, list[str], str | None]:
    """List the source, and say what a sync would do and why; nothing is written. Also what the listing says, and why it
    ended early.
    """
    listing = read_listing(source, options, full)
    found = catalogue().run(triage.dry_run, listing, judge_of(options), limit)
    return found, notes_of(listing, found.report, source), str(listing.error) if listing.error else None


def notes_of(listing: Listing, report: ListingReport, source: str) -> list[str]:
    """What a listing says beside its counts."""
    if not report.replaced:
        return listing.notes
    names = ", ".join(report.replaced[:MOST_NAMED]) + (", …" if len(report.replaced) > MOST_NAMED else "")
    again = f"`channelscribe sync {source} --refetch {report.replaced[0]}` fetches one anew."
    return [*listing.notes, f"{len(report.replaced)} changed: there is another recording of {names} now. {again}"]


def known_as(source: str) -> str:
    """The name that a source goes by in runs, pages and messages: without the passwords and tokens of its address."""
    return catalogue().run(listings.keep_address, source)


def make_due(source_pk: int, reasons: list[str]) -> int:
    """Have the source's videos tried again that failed for one of these reasons; returns how many."""
    return catalogue().run(leases.make_due, source_pk, reasons)


def refetch(source_pk: int, wanted: list[str]) -> int:
    """Have videos of the source fetched and transcribed anew; returns how many. Raises UnknownVideo."""
    pks = [pk for word in wanted for pk in catalogue().run(videos.of_source, source_pk, word)]
    return catalogue().run(leases.refetch, pks)


def read_listing(source: str, options: Options, full: bool) -> Listing:
    """To its end when that is due, else a channel's newest only. `source` goes without its passwords and tokens."""
    sources = source_options(options)
    whole = full or catalogue().run(listings.full_listing_due, source, sources.full_listing_hours)
    all_known = None if whole else (lambda seen: catalogue().run(listings.all_listed, source, seen))
    memory = catalogue().run(listings.memory_of, source)
    if full:
        memory.pop("reader", None)  # asked for whole, changed or not
    scope = scope_of(source)
    with asking(scope, sources, budget=False):
        asked = catalogue().run(listings.whole_address, source)
        listing = list_videos(asked, sources, all_known=all_known, memory=memory)
    if listing.error is not None:
        listing.error = learn(scope, sources, listing.error)
    return listing


def judge_of(options: Options) -> Judge:
    """The filters of the run, and whether there is an account that members' videos may be for."""
    return partial(verdict, filters=settings_of(options).filters, has_account=has_account(source_options(options)))


def has_account(sources: SourceOptions) -> bool:
    return sources.cookies_file is not None or sources.cookies is not None
