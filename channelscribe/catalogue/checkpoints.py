"""Which videos a checkpoint in the store is for. Its key is made of content and tells no video.

A step notes its checkpoint before it looks whether the store has it. Who deletes one holds the table meanwhile, so
between the look and the use it cannot go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.standing import SETTLED

__all__ = ["CheckpointUse", "checkpoints_of", "forget_checkpoints", "note_checkpoints", "uses_of"]


@dataclass(frozen=True, slots=True)
class CheckpointUse:
    """`videos`: that have it. `busy`: one of them is in work, or not at the end of its way."""

    videos: int
    busy: bool


def note_checkpoints(session: Session, video_pk: int, keys: Sequence[str]) -> None:
    """A video is made with these; once noted is enough."""
    execute(
        session,
        "INSERT INTO checkpoint (video_pk, key) SELECT :video, unnest(CAST(:keys AS text[])) ON CONFLICT DO NOTHING",
        video=video_pk,
        keys=sorted(keys),
    )


def uses_of(session: Session, keys: Sequence[str], *, lock: bool) -> dict[str, CheckpointUse]:
    """Who uses these checkpoints; those that nobody uses are left out.

    With `lock` nobody can begin to, until the end of the transaction; a video that somebody else has locked is busy.
    """
    locked = ""
    if lock:
        execute(session, "LOCK TABLE checkpoint IN SHARE ROW EXCLUSIVE MODE")
        locked = "ORDER BY site, video_id FOR UPDATE OF video SKIP LOCKED"
    query = f"""
        WITH found AS (
            SELECT checkpoint.key, video.id, {SETTLED} AND lease_owner IS NULL AS idle
            FROM checkpoint JOIN video ON video.id = checkpoint.video_pk
            WHERE checkpoint.key = ANY(:keys) {locked})
        SELECT checkpoint.key, count(*) AS videos, NOT coalesce(bool_and(found.idle IS TRUE), false) AS busy
        FROM checkpoint LEFT JOIN found ON found.key = checkpoint.key AND found.id = checkpoint.video_pk
        WHERE checkpoint.key = ANY(:keys) GROUP BY checkpoint.key"""  # noqa: S608 - constants of this program
    rows = execute(session, query, keys=list(keys)).mappings()
    return {row["key"]: CheckpointUse(row["videos"], row["busy"]) for row in rows}


def checkpoints_of(session: Session, video_pk: int) -> list[str]:
    """The checkpoints that are for this video alone."""
    found = execute(
        session,
        "SELECT key FROM checkpoint AS mine WHERE video_pk = :video AND NOT EXISTS ("
        "SELECT FROM checkpoint AS other WHERE other.key = mine.key AND other.video_pk <> :video) ORDER BY key",
        video=video_pk,
    )
    return [str(key) for key in found.scalars()]


def forget_checkpoints(session: Session, keys: Sequence[str] = (), video_pk: int | None = None) -> None:
    """They are gone from the store; or a video has none any more."""
    statement = "DELETE FROM checkpoint WHERE key = ANY(:keys) OR video_pk = :video"
    execute(session, statement, keys=list(keys), video=video_pk)
