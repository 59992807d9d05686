"""What is known of videos before anything is asked for them: excluded by a filter, upcoming, for members only.

The verdicts themselves come from the caller (`sources.filters`), as errors of the tree; this writes what they make of a
video. A filter that no longer says no gives its videos back. A filter's verdict is of the source that was synced with
it (`source_video.filtered`): of two sources that list the same video, one may want it and the other not. A dry run does
the same in a transaction that is then rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from channelscribe.catalogue import listings
from channelscribe.catalogue.connection import Database, clean_json, execute
from channelscribe.catalogue.leases import due, make_due
from channelscribe.catalogue.listings import ListingReport
from channelscribe.catalogue.states import FREE, State
from channelscribe.catalogue.tables import VideoRow
from channelscribe.catalogue.videos import STATE_AFTER, left_out, retry_delay, waiting
from channelscribe.errors import ChannelscribeError, FilteredOut

if TYPE_CHECKING:
    from channelscribe.sources.filters import Facts
    from channelscribe.sources.spool import Listing

__all__ = ["DryRun", "Judge", "LeftOut", "Planned", "dry_run", "judge_page", "keep_newest", "record_listing"]

PAGE = 5000
LARGEST = 2**31

Judge = Callable[["Facts"], ChannelscribeError | None]
"""Says why a video is not to be fetched now: FilteredOut, NotYet or VideoUnavailable; None when it is."""

FIND = f"""
SELECT video.id, state, reason, next_check_at, url, video.title, duration, published, live_status, availability,
    release_at, link.tab, video.about->>'season' AS season, link.filtered,
    EXISTS (SELECT FROM source_video AS other WHERE other.video_pk = video.id AND other.source_pk <> :source
        AND other.gone_at IS NULL AND other.filtered IS NULL) AS wanted_elsewhere
FROM video JOIN source_video AS link ON link.video_pk = video.id
WHERE link.source_pk = :source AND link.gone_at IS NULL AND current_transcript_pk IS NULL
    AND state IN ('discovered', 'waiting', 'retrying', 'excluded') AND {FREE} AND video.id > :after
ORDER BY video.id LIMIT :page
"""  # noqa: S608 - a constant of the module leases

LOCK = "SELECT id FROM video WHERE id = ANY(:ids) ORDER BY site, video_id FOR UPDATE"
# Not what another run has moved on since it was looked at.
WRITE = f"""
UPDATE video SET state = verdict.state, reason = verdict.reason, message = verdict.message, remedy = verdict.remedy,
    next_check_at = verdict.next_check_at, updated_at = now()
FROM jsonb_to_recordset(CAST(:verdicts AS jsonb)) AS verdict(id bigint, was text, state text, reason text,
    message text, remedy text, next_check_at timestamptz)
WHERE video.id = verdict.id AND video.state = verdict.was AND {FREE}
"""  # noqa: S608
WRITE_FILTERED = """
UPDATE source_video SET filtered = verdict.filtered
FROM jsonb_to_recordset(CAST(:verdicts AS jsonb)) AS verdict(id bigint, filtered text)
WHERE source_pk = :source AND video_pk = verdict.id
"""
NEWEST = "filter_newest"
# The newest of what the other filters let through; what has no date comes after what has one, in the source's order.
KEEP_NEWEST = """
WITH ranked AS (
    SELECT link.video_pk, row_number() OVER (
        ORDER BY video.published DESC NULLS LAST, link.position NULLS LAST, video.id) > :newest AS over
    FROM source_video AS link JOIN video ON video.id = link.video_pk
    WHERE link.source_pk = :source AND link.gone_at IS NULL AND taken_down_at IS NULL
        AND (link.filtered IS NULL OR link.filtered = 'filter_newest'))
UPDATE source_video AS link SET filtered = CASE WHEN over THEN 'filter_newest' END FROM ranked
WHERE link.source_pk = :source AND link.video_pk = ranked.video_pk AND over IS DISTINCT FROM (filtered IS NOT NULL)
RETURNING over
"""
# In the one order in which rows of videos are locked.
LEAVE_OLDER = f"""
UPDATE video SET state = 'excluded', reason = 'filter_newest', message = :message, remedy = :remedy,
    next_check_at = NULL, updated_at = now()
WHERE id IN (SELECT video.id FROM video JOIN source_video AS link ON link.video_pk = video.id
    WHERE link.source_pk = :source AND link.gone_at IS NULL AND link.filtered = 'filter_newest'
        AND current_transcript_pk IS NULL AND state IN ('discovered', 'waiting', 'retrying') AND {FREE}
        AND NOT EXISTS (SELECT FROM source_video AS other WHERE other.video_pk = video.id
            AND other.source_pk <> :source AND other.gone_at IS NULL AND other.filtered IS NULL)
    ORDER BY site, video_id FOR UPDATE OF video)
"""  # noqa: S608
TAKE_NEWEST = f"""
UPDATE video SET state = 'discovered', reason = NULL, message = NULL, remedy = NULL, updated_at = now()
WHERE id IN (SELECT video.id FROM video JOIN source_video AS link ON link.video_pk = video.id
    WHERE link.source_pk = :source AND link.gone_at IS NULL AND link.filtered IS NULL
        AND state = 'excluded' AND reason = 'filter_newest' AND {FREE}
    ORDER BY site, video_id FOR UPDATE OF video)
"""  # noqa: S608


def record_listing(database: Database, listing: Listing, judge: Judge, newest: int | None = None) -> ListingReport:
    """Take in what a source lists now, and judge what was not fetched yet; returns counts of the listing.

    A transaction for the listing, and one for each page of verdicts: locks are short, others write, too. With `newest`
    no more than so many are wanted of what the judge lets through.
    """
    report = database.run(listings.record_listing, listing)
    filtered = wanted = 0
    after: int | None = 0
    while after is not None:
        page = database.run(judge_page, report.source_pk, judge, after)
        after, filtered, wanted = page.after, filtered + page.filtered, wanted + page.wanted
    older = database.run(keep_newest, report.source_pk, newest)
    return replace(report, filtered=filtered + older.filtered, wanted=wanted + older.wanted)


@dataclass(frozen=True, slots=True)
class Judged:
    """`after`: the number of the last video, None at the end. `filtered` and `wanted` as in a ListingReport."""

    after: int | None
    filtered: int
    wanted: int


def judge_page(session: Session, source_pk: int, judge: Judge, after: int) -> Judged:
    """Judge the next few thousand undecided videos of a source, those with a number beyond `after`.

    A filter's no is of this source. It makes the video `excluded` where no other source wants it.
    """
    rows = execute(session, FIND, source=source_pk, after=after, page=PAGE).all()
    verdicts, links = [], []
    for row in rows:
        error = judge(row)
        if (filtered := _filtered(row, error)) != row.filtered:
            links.append({"id": row.id, "filtered": filtered})
        if (changed := _changed(row, error)) is not None:
            verdicts.append(changed)
    if verdicts:
        execute(session, LOCK, ids=[verdict["id"] for verdict in verdicts])
        execute(session, WRITE, verdicts=json.dumps(verdicts))
    if links:
        execute(session, WRITE_FILTERED, source=source_pk, verdicts=json.dumps(links))
    left_out = sum(link["filtered"] is not None for link in links)
    return Judged(rows[-1].id if len(rows) == PAGE else None, left_out, len(links) - left_out)


def keep_newest(session: Session, source_pk: int, newest: int | None) -> Judged:
    """Leave out what is older than the `newest` that the other filters let through; None: nothing is too old."""
    changed = execute(session, KEEP_NEWEST, source=source_pk, newest=newest or LARGEST).scalars().all()
    rule = {"message": f"Left out by filters.newest = {newest}.", "remedy": "Change filters.newest."}
    if newest is not None:
        execute(session, LEAVE_OLDER, source=source_pk, **rule)
    execute(session, TAKE_NEWEST, source=source_pk)
    return Judged(None, sum(changed), len(changed) - sum(changed))


def _filtered(row: Any, error: ChannelscribeError | None) -> str | None:
    """What the filters of this source say of a video; which are the newest is told after all are judged."""
    if isinstance(error, FilteredOut):
        return error.reason
    return NEWEST if row.filtered == NEWEST else None


def _changed(row: Any, error: ChannelscribeError | None) -> dict[str, Any] | None:
    """What to write for a video; None when the verdict is what its row says already."""
    if isinstance(error, FilteredOut) and row.wanted_elsewhere:
        error = None
    if error is None:
        again = row.state == State.EXCLUDED and row.reason != NEWEST
        return _written(row, State.DISCOVERED) if again else None
    state = STATE_AFTER[error.then]
    if state is State.WAITING:
        return _waiting(row, error)
    if (row.state, row.reason) == (state, error.reason):
        return None
    return _written(row, state, error)


def _waiting(row: Any, error: ChannelscribeError) -> dict[str, Any] | None:
    if row.state == State.RETRYING:
        return None  # its page was asked, which knows better than a listing
    again = error.not_before
    if row.state == State.WAITING:
        later = again is not None and again > datetime.now(UTC) and again != row.next_check_at
        if not later:
            return None
    delay = retry_delay(error, 1)
    return _written(row, State.WAITING, error, again or (datetime.now(UTC) + delay if delay else None))


def _written(
    row: Any, state: State, error: ChannelscribeError | None = None, again: datetime | None = None
) -> dict[str, Any]:
    written: dict[str, Any] = {"id": row.id, "was": row.state, "state": state.value}
    if error is not None:
        written |= clean_json({"reason": error.reason, "message": error.message, "remedy": error.remedy or None})
    written["next_check_at"] = again.isoformat() if again else None
    return written


STEPS = {
    State.DISCOVERED: "download, transcribe, publish",
    State.DOWNLOADED: "transcribe, publish",
    State.TRANSCRIBED: "publish",
    State.WAITING: "look again",
    State.RETRYING: "try again",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A video that would be worked on: `action` is what would be done, `why` the reason."""

    video: str
    title: str
    state: str
    action: str
    why: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Videos that would not be touched, counted by state and reason."""

    state: str
    reason: str | None
    videos: int
    message: str | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """A sync that did not take place."""

    report: ListingReport
    planned: list[Planned]
    left_out: list[LeftOut]
    waiting: int


def dry_run(
    session: Session,
    listing: Listing,
    judge: Judge,
    limit: int | None = None,
    newest: int | None = None,
    again: Sequence[str] = (),
) -> DryRun:
    """What a sync would do with this listing: list, judge, look what is due, and forget it all.

    `again`: reasons whose videos would be tried again now.
    """
    report = listings.record_listing(session, listing)
    after: int | None = 0
    while after is not None:
        after = judge_page(session, report.source_pk, judge, after).after
    keep_newest(session, report.source_pk, newest)
    if again:
        make_due(session, report.source_pk, again)
    found = DryRun(
        report,
        [_planned(row) for row in due(session, report.source_pk, limit)],
        [LeftOut(*counted) for counted in left_out(session, report.source_pk)],
        waiting(session, report.source_pk),
    )
    session.rollback()
    return found


def _planned(row: VideoRow) -> Planned:
    state = State(row.state)
    why = {State.DISCOVERED: "not fetched yet", State.DOWNLOADED: "not transcribed yet"}.get(state, "not finished")
    if row.reason:
        tries = f", tried {row.attempts} x" if row.attempts else ""
        why = f"{row.reason}{tries}"
    return Planned(row.video_id, row.title, row.state, STEPS[state], why)
