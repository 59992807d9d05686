"""What a sync would do, found out by doing its first half in a transaction that is then rolled back."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from channelscribe.catalogue.listings import Listing, ListingReport, record_listing
from channelscribe.catalogue.tables import State, VideoRow
from channelscribe.catalogue.verdicts import Judge, judge_page
from channelscribe.catalogue.videos import due, left_out, waiting

__all__ = ["LeftOut", "Planned", "Rehearsal", "rehearse"]

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
class Rehearsal:
    """A sync that did not take place."""

    report: ListingReport
    planned: list[Planned]
    left_out: list[LeftOut]
    waiting: int


def rehearse(session: Session, listing: Listing, judge: Judge, limit: int | None) -> Rehearsal:
    """List, judge, look what is due, and forget it all."""
    report = record_listing(session, listing)
    after: int | None = 0
    while after is not None:
        after = judge_page(session, report.source_pk, judge, after)
    found = Rehearsal(
        report,
        [planned(row) for row in due(session, report.source_pk, limit)],
        [LeftOut(*counted) for counted in left_out(session, report.source_pk)],
        waiting(session, report.source_pk),
    )
    session.rollback()
    return found


def planned(row: VideoRow) -> Planned:
    state = State(row.state)
    why = {State.DISCOVERED: "not fetched yet", State.DOWNLOADED: "not transcribed yet"}.get(state, "not finished")
    if row.reason:
        tries = f", tried {row.attempts} x" if row.attempts else ""
        why = f"{row.reason}{tries}"
    return Planned(row.video_id, row.title, row.state, STEPS[state], why)
