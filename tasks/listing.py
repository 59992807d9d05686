"""List a source and lease what is due."""

from __future__ import annotations

from datetime import date
from typing import Any

from prefect import task

from channelscribe.sites.listing import list_source as list_videos
from tasks.policies import RETRY_DELAYS, worth_retrying
from tasks.records import VideoWork
from tasks.workplace import catalogue, settings_of


@task(
    name="list-source",
    retries=len(RETRY_DELAYS),
    retry_delay_seconds=RETRY_DELAYS,
    retry_condition_fn=worth_retrying,
    persist_result=False,
    tags=["listing"],
)
def list_source(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Read the source's flat listing and record it. Never cached: the point is to see what is new."""
    listing = list_videos(source, settings_of(options).sources)
    report = catalogue().record_listing(listing)
    return {
        "source_pk": report.source_pk,
        "title": listing.title,
        "listed": report.listed,
        "new": report.new,
        "changed": report.changed,
        "gone": report.gone,
    }


@task(name="claim-due", persist_result=False, tags=["listing"])
def claim_due(
    listed: dict[str, Any], owner: str, options: dict[str, Any], limit: int | None, since: date | None
) -> list[VideoWork]:
    """Lease the videos that are due, so that no other run works on them."""
    due = catalogue().due(listed["source_pk"], limit=limit, since=since)
    rows = catalogue().claim([row.id for row in due], owner, settings_of(options).lease_seconds)
    return [
        VideoWork(
            pk=row.id,
            site=row.site,
            video_id=row.video_id,
            url=row.url,
            title=row.title,
            channel=listed["title"],
            owner=owner,
        )
        for row in rows
    ]


@task(name="look-due", persist_result=False, tags=["listing"])
def look_due(source_pk: int, limit: int | None, since: date | None) -> list[dict[str, Any]]:
    """What a run would do, without doing it."""
    due = catalogue().due(source_pk, limit=limit, since=since)
    return [{"video": row.video_id, "title": row.title, "state": row.state} for row in due]


def rows_of(source_pk: int) -> list[dict[str, Any]]:
    """The source's videos as the catalogue has them now."""
    return [
        {
            "pk": row.id,
            "state": row.state,
            "reason": row.reason,
            "message": row.message,
            "next_check_at": row.next_check_at.isoformat() if row.next_check_at else None,
        }
        for row in catalogue().list_videos(source_pk)
    ]
