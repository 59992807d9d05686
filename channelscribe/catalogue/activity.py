"""What goes on in the library right now, for a display that follows it; and leases of whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from channelscribe.catalogue.connection import execute

__all__ = ["Activity", "activity", "release_all", "renew_all"]


@dataclass(frozen=True, slots=True)
class Activity:
    """A video that is in work, or was when last looked at. `step_fraction` is 0 to 1 or None."""

    pk: int
    video_id: str
    title: str
    state: str
    step: str | None
    step_fraction: float | None
    reason: str | None
    message: str | None
    remedy: str | None
    in_work: bool


def activity(session: Session, seen: Sequence[int]) -> list[Activity]:
    """Videos that are leased now, and those of `seen` (our numbers) whatever became of them; oldest number first."""
    rows = execute(
        session,
        "SELECT id AS pk, video_id, title, state, step, step_fraction, reason, message, remedy, "
        "coalesce(lease_until >= now(), false) AS in_work FROM video "
        "WHERE lease_until >= now() OR id = ANY(:seen) ORDER BY id",
        seen=list(seen),
    ).mappings()
    return [Activity(**row) for row in rows]


def renew_all(session: Session, owner: str, seconds: float) -> int:
    """Keep every lease of `owner` for `seconds` from now; returns how many there are."""
    done = execute(
        session,
        "UPDATE video SET lease_until = now() + make_interval(secs => :seconds) "
        "WHERE id IN (SELECT id FROM video WHERE lease_owner = :owner ORDER BY site, video_id FOR UPDATE)",
        owner=owner,
        seconds=seconds,
    )
    return int(done.rowcount)


def release_all(session: Session, owner: str | None) -> int:
    """Give back every lease of `owner`, or of everybody; returns how many there were."""
    done = execute(
        session,
        "UPDATE video SET lease_owner = NULL, lease_until = NULL, step = NULL, step_fraction = NULL "
        "WHERE id IN (SELECT id FROM video WHERE lease_owner IS NOT NULL "
        "AND (CAST(:owner AS text) IS NULL OR lease_owner = :owner) ORDER BY site, video_id FOR UPDATE)",
        owner=owner,
    )
    return int(done.rowcount)
