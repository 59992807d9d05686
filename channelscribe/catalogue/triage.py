"""What is known of videos before anything is asked for them: excluded by a filter, upcoming, for members only.

The verdicts themselves come from the caller (`sources.filters`), as errors of the tree; this writes what they make of a
video. A filter that no longer says no gives its videos back. A dry run does the same in a transaction that is then
rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from channelscribe.catalogue import listings
from channelscribe.catalogue.connection import Database, clean_json, execute
from channelscribe.catalogue.leases import due
from channelscribe.catalogue.listings import ListingReport
from channelscribe.catalogue.states import FREE, State
from channelscribe.catalogue.tables import VideoRow
from channelscribe.catalogue.videos import STATE_AFTER, left_out, retry_delay, waiting
from channelscribe.errors import ChannelscribeError

if TYPE_CHECKING:
    from channelscribe.sources.filters import Facts
    from channelscribe.sources.spool import Listing

__all__ = ["DryRun", "Judge", "LeftOut", "Planned", "dry_run", "judge_page", "record_listing"]

PAGE = 5000

Judge = Callable[["Facts"], ChannelscribeError | None]
"""Says why a video is not to be fetched now: FilteredOut, NotYet or VideoUnavailable; None when it is."""

FIND = f"""
SELECT video.id, state, reason, next_check_at, url, video.title, duration, published, live_status, availability,
    release_at, link.tab
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


def record_listing(database: Database, listing: Listing, judge: Judge) -> ListingReport:
    """Take in what a source lists now, and judge what was not fetched yet; returns counts of the listing.

    A transaction for the listing, and one for each page of verdicts: locks are short, others write, too.
    """
    report = database.run(listings.record_listing, listing)
    after: int | None = 0
    while after is not None:
        after = database.run(judge_page, report.source_pk, judge, after)
    return report


def judge_page(session: Session, source_pk: int, judge: Judge, after: int) -> int | None:
    """Judge the next few thousand undecided videos of a source, those with a number beyond `after`.

    Returns the number to go on from, None at the end.
    """
    rows = execute(session, FIND, source=source_pk, after=after, page=PAGE).all()
    verdicts = [changed for row in rows if (changed := _changed(row, judge)) is not None]
    if verdicts:
        execute(session, LOCK, ids=[verdict["id"] for verdict in verdicts])
        execute(session, WRITE, verdicts=json.dumps(verdicts))
    return rows[-1].id if len(rows) == PAGE else None


def _changed(row: Any, judge: Judge) -> dict[str, Any] | None:
    """What to write for a video; None when the verdict is what its row says already."""
    error = judge(row)
    if error is None:
        return _written(row, State.DISCOVERED) if row.state == State.EXCLUDED else None
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


def dry_run(session: Session, listing: Listing, judge: Judge, limit: int | None = None) -> DryRun:
    """What a sync would do with this listing: list, judge, look what is due, and forget it all."""
    report = listings.record_listing(session, listing)
    after: int | None = 0
    while after is not None:
        after = judge_page(session, report.source_pk, judge, after)
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
