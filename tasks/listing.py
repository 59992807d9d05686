"""List a source and lease what is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from prefect import task

from channelscribe.catalogue import leases, listings, triage
from channelscribe.catalogue import videos as video_rows
from channelscribe.catalogue.tables import VideoRow
from channelscribe.catalogue.triage import Judge
from channelscribe.errors import SourceBlocked
from channelscribe.settings import Settings, SourceOptions
from channelscribe.sources.filters import verdict
from channelscribe.sources.listing import Listing
from channelscribe.sources.listing import list_source as list_videos
from channelscribe.sources.site_key import scope_of
from tasks.caching import RETRIES
from tasks.records import VideoWork
from tasks.resources import catalogue, settings_of, source_options
from tasks.site_guard import asking, learn

# Without tags: a task that has some asks the server for slots of each first, which took up to seconds here.
LISTING: dict[str, Any] = {**RETRIES, "persist_result": False}


@task(name="list-source", **LISTING)
def list_source(source: str, options: dict[str, Any], full: bool = False) -> dict[str, Any]:
    """Read the source's flat listing and record it. Never cached: the point is to see what is new."""
    listing = read_listing(source, options, full)
    report = triage.record_listing(catalogue(), listing, judge_of(options))
    return {
        "source_pk": report.source_pk,
        "title": listing.title,
        "listed": report.listed,
        "new": report.new,
        "changed": report.changed,
        "gone": report.gone,
        "incomplete": str(listing.error) if listing.error else None,
        "blocked": isinstance(listing.error, SourceBlocked),
    }


@task(name="rehearse-sync", **LISTING)
def rehearse(source: str, options: dict[str, Any], limit: int | None, full: bool = False) -> dict[str, Any]:
    """List the source, and say what a sync would do and why; nothing is written."""
    listing = read_listing(source, options, full)
    found = catalogue().run(triage.dry_run, listing, judge_of(options), limit)
    return {
        "listed": found.report.listed,
        "new": found.report.new,
        "waiting": found.waiting,
        "due": [{name: getattr(each, name) for name in each.__slots__} for each in found.planned],
        "left_out": [{name: getattr(each, name) for name in each.__slots__} for each in found.left_out],
        "incomplete": str(listing.error) if listing.error else None,
    }


@task(name="claim-due", persist_result=False)
def claim_due(
    listed: dict[str, Any], owner: str, options: dict[str, Any], count: int, had: list[int]
) -> list[VideoWork]:
    """Lease the next videos that are due, so that no other run works on them; not those that this run had."""
    settings = settings_of(options)
    rows = catalogue().run(leases.claim_next, listed["source_pk"], owner, settings.lease_seconds, count, had)
    return [work(row, listed["title"], owner, settings) for row in rows]


@task(name="try-again", persist_result=False)
def make_due(source_pk: int, reasons: list[str]) -> int:
    """Have the source's videos tried again now that failed for one of these reasons."""
    return catalogue().run(leases.make_due, source_pk, reasons)


def read_listing(source: str, options: dict[str, Any], full: bool) -> Listing:
    """To its end when that is due, else a channel's newest only."""
    sources = source_options(options)
    whole = full or catalogue().run(listings.full_listing_due, source, sources.full_listing_hours)
    all_known = None if whole else lambda seen: catalogue().run(listings.all_listed, source, seen)
    scope = scope_of(source)
    with asking(scope, sources, budget=False):
        listing = list_videos(source, sources, all_known=all_known)
    if listing.error is not None:
        listing.error = learn(scope, sources, listing.error)
    return listing


def judge_of(options: dict[str, Any]) -> Judge:
    """The filters of the run, and whether there is an account that members' videos may be for."""
    return partial(verdict, filters=settings_of(options).filters, has_account=has_account(source_options(options)))


def has_account(sources: SourceOptions) -> bool:
    return sources.cookies_file is not None or sources.cookies is not None


def work(row: VideoRow, channel: str, owner: str, settings: Settings) -> VideoWork:
    long_ago = datetime.now(UTC) - timedelta(hours=settings.sources.post_live_hours)
    return VideoWork(
        pk=row.id,
        site=row.site,
        video_id=row.video_id,
        url=row.url,
        title=row.title,
        channel=channel,
        owner=owner,
        rejected=row.rejected,
        unfinished=row.post_live_since is not None and row.post_live_since <= long_ago,
    )


def rows_of(videos: list[VideoWork]) -> dict[int, VideoRow]:
    """The videos as the catalogue has them now, by number."""
    return {row.id: row for row in catalogue().run(video_rows.rows_of, [video.pk for video in videos])}


def waiting_of(source_pk: int) -> int:
    """How many of a source's videos wait for their time."""
    return catalogue().run(video_rows.waiting, source_pk)
