"""Who works on which video: what is due, claims, and leases with their progress.

A lease says who works on a video and until when. It holds as long as nobody else took it, even past its end; then
`LeaseLost`. One that ran out can be taken by anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from channelscribe.catalogue.connection import CONNECT_SECONDS, Database, execute
from channelscribe.catalogue.states import DUE, FREE
from channelscribe.catalogue.tables import SourceVideoRow, VideoRow
from channelscribe.errors import LeaseLost

__all__ = [
    "Left",
    "SourceLock",
    "claim",
    "claim_next",
    "clear_lease",
    "due",
    "held",
    "left_in_source",
    "left_of",
    "lost_leases",
    "make_due",
    "release",
    "release_all",
    "renew",
    "renew_all",
]

# SKIP LOCKED: of two claims at once each takes what the other does not, and neither waits. A WITH is run once; as
# `id IN (SELECT … LIMIT …)` some plans run it for each row, and more rows are claimed than the limit.
TAKE = """
UPDATE video SET lease_owner = :owner, lease_until = now() + make_interval(secs => :seconds),
    step = NULL, step_fraction = NULL
FROM chosen WHERE video.id = chosen.id RETURNING video.id
"""
CLAIM = f"""
WITH chosen AS MATERIALIZED (
    SELECT id FROM video WHERE id = ANY(:videos) AND ((NOT :only_due OR {DUE}) AND {FREE} OR lease_owner = :owner)
    ORDER BY array_position(CAST(:videos AS bigint[]), id) LIMIT :count FOR UPDATE SKIP LOCKED){TAKE}"""  # noqa: S608


# The next of a source's due videos; last those that the machine failed at before: if it is they, the others are done.
# What this run had before is left out: what waits for the operator stays due.
CLAIM_NEXT = f"""
WITH chosen AS MATERIALIZED (
    SELECT video.id FROM video JOIN source_video AS link ON link.video_pk = video.id
    WHERE link.source_pk = :source AND link.gone_at IS NULL AND link.filtered IS NULL AND {DUE} AND {FREE}
        AND NOT video.id = ANY(:had)
    ORDER BY video.setbacks, link.position NULLS LAST, video.id LIMIT :count FOR UPDATE OF video SKIP LOCKED){TAKE}"""  # noqa: S608


def due(session: Session, source_pk: int, limit: int | None = None) -> list[VideoRow]:
    """Videos of the source that want work and that nobody holds, in the source's order."""
    query = (
        select(VideoRow)
        .join(SourceVideoRow, col(SourceVideoRow.video_pk) == col(VideoRow.id))
        .where(SourceVideoRow.source_pk == source_pk, col(SourceVideoRow.gone_at).is_(None))
        .where(col(SourceVideoRow.filtered).is_(None))
        .where(text(DUE), text(FREE))
        .order_by(col(VideoRow.setbacks), col(SourceVideoRow.position).nulls_last(), col(VideoRow.id))
    )
    return list(session.exec(query.limit(limit)).all())


# Not what a published video failed at since: its transcript stands.
MAKE_DUE = """
UPDATE video SET state = 'retrying', next_check_at = NULL
WHERE id IN (SELECT video.id FROM video JOIN source_video AS link ON link.video_pk = video.id
    WHERE link.source_pk = :source AND state IN ('retrying', 'unavailable', 'waiting')
        AND (reason = ANY(:reasons) OR 'all' = ANY(:reasons))
    ORDER BY site, video_id FOR UPDATE OF video SKIP LOCKED)
"""


def make_due(session: Session, source_pk: int, reasons: Sequence[str]) -> int:
    """Have failed videos of a source tried again now, those with one of the `reasons` ("all": every one)."""
    return int(execute(session, MAKE_DUE, source=source_pk, reasons=list(reasons)).rowcount)


# `rejected` is part of what a download is known by: the one that is there counts no more.
REFETCH = f"""
UPDATE video SET state = 'discovered', rejected = rejected + 1, replaced_at = NULL, reason = NULL, message = NULL,
    remedy = NULL, next_check_at = NULL, verdict = NULL, verdict_at = NULL, attempts = 0, updated_at = now()
WHERE id IN (SELECT id FROM video WHERE id = ANY(:videos) AND {FREE} ORDER BY site, video_id FOR UPDATE)
"""  # noqa: S608


def refetch(session: Session, video_pks: Sequence[int]) -> int:
    """Have videos fetched and transcribed anew; their transcripts stay as versions. Returns how many nobody holds."""
    return int(execute(session, REFETCH, videos=list(video_pks)).rowcount)


def claim(
    session: Session,
    video_pks: Sequence[int],
    owner: str,
    seconds: float,
    *,
    only_due: bool = True,
    count: int | None = None,
) -> list[VideoRow]:
    """Lease the first `count` of the videos that are free (and due, unless told otherwise); those already ours, too."""
    values = {"videos": list(video_pks), "owner": owner, "seconds": seconds, "only_due": only_due, "count": count}
    found = execute(session, CLAIM, **values).scalars()
    order = {pk: place for place, pk in enumerate(video_pks)}
    rows = session.exec(select(VideoRow).where(col(VideoRow.id).in_(list(found)))).all()
    return sorted(rows, key=lambda row: order[row.id])


def claim_next(
    session: Session, source_pk: int, owner: str, seconds: float, count: int, had: Sequence[int] = ()
) -> list[VideoRow]:
    """Lease the next due videos of a source, in its order, but for those that the run `had` before."""
    values = {"source": source_pk, "owner": owner, "seconds": seconds, "count": count, "had": list(had)}
    found = list(execute(session, CLAIM_NEXT, **values).scalars())
    rows = (
        select(VideoRow)
        .join(SourceVideoRow, col(SourceVideoRow.video_pk) == col(VideoRow.id))
        .where(col(VideoRow.id).in_(found), SourceVideoRow.source_pk == source_pk)
        .order_by(col(SourceVideoRow.position).nulls_last(), col(VideoRow.id))
    )
    return list(session.exec(rows).all())


class Left(NamedTuple):
    """Videos that a run could still have: those that are `free` now, and those that others hold, the last `until`.

    `longest` are the seconds of the longest free one, 0 where the listing told no lengths.
    """

    free: int
    held: int
    until: datetime | None
    longest: float = 0.0


LEFT = f"""
SELECT count(*) FILTER (WHERE {FREE}) AS free,
    count(*) FILTER (WHERE NOT {FREE} AND lease_owner IS DISTINCT FROM :owner) AS held,
    max(lease_until) FILTER (WHERE NOT {FREE} AND lease_owner IS DISTINCT FROM :owner) AS until,
    coalesce(max(duration) FILTER (WHERE {FREE}), 0) AS longest
FROM video
"""  # noqa: S608


def left_in_source(session: Session, source_pk: int, owner: str, given_back: Sequence[int] = ()) -> Left:
    """The due videos of a source, but for those that a run was `given_back`. Sees rows that somebody has locked."""
    where = f"""JOIN source_video AS link ON link.video_pk = video.id
        WHERE link.source_pk = :source AND link.gone_at IS NULL AND link.filtered IS NULL AND taken_down_at IS NULL
            AND {DUE} AND NOT video.id = ANY(:given_back)"""
    values = {"source": source_pk, "owner": owner, "given_back": list(given_back)}
    return Left(*execute(session, LEFT + where, **values).one())


def left_of(session: Session, video_pks: Sequence[int], owner: str) -> Left:
    """Those of the videos that can be worked on, due or not."""
    where = "WHERE id = ANY(:videos) AND taken_down_at IS NULL"
    return Left(*execute(session, LEFT + where, videos=list(video_pks), owner=owner).one())


class SourceLock:
    """That one run at a time works on a source, in a ``with`` block; `name` is what others are told of who does.

    An advisory lock on a connection of its own: PostgreSQL lets it go with the connection, however its holder ends. (A
    pooler in front of the server must therefore keep sessions.)
    """

    def __init__(self, database: Database, source: str, name: str) -> None:
        self._source = source
        plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in name)
        self._engine = create_engine(
            database.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": plain[:LONGEST_NAME]},
        )
        self._database = database
        self._connection: Connection | None = None

    def take(self) -> str | None:
        """Take the lock; None when it is ours now, else the name of who has it."""
        with self._database.translated():
            if self._connection is None:
                self._connection = self._engine.connect()
            if execute(self._connection, TAKE_SOURCE, source=self._source).scalar_one():
                return None
            return execute(self._connection, HOLDER_OF_SOURCE, source=self._source).scalar() or "another run"

    def __enter__(self) -> SourceLock:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(DBAPIError):
            if self._connection is not None:
                self._connection.close()
        self._engine.dispose()


LONGEST_NAME = 63  # bytes of an application_name
SOURCE_KEY = "hashtextextended('channelscribe sync ' || :source, 0)"
TAKE_SOURCE = f"SELECT pg_try_advisory_lock({SOURCE_KEY})"
# objsubid 1: a key of one bigint, of which classid is the upper half.
HOLDER_OF_SOURCE = f"""
SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (CAST(classid AS bigint) << 32 | CAST(objid AS bigint)) = {SOURCE_KEY}
"""  # noqa: S608


def renew(
    session: Session, video_pk: int, owner: str, seconds: float, step: str | None = None, fraction: float | None = None
) -> None:
    """Keep a lease for `seconds` from now, and say how far its work is. Raises LeaseLost."""
    done = execute(
        session,
        "UPDATE video SET lease_until = now() + make_interval(secs => :seconds), "
        "step = coalesce(:step, step), step_fraction = :fraction WHERE id = :video AND lease_owner = :owner",
        video=video_pk,
        owner=owner,
        seconds=seconds,
        step=step,
        fraction=None if fraction is None else min(max(fraction, 0.0), 1.0),
    )
    if done.rowcount == 0:
        raise _lost(video_pk)


def release(session: Session, video_pks: Sequence[int], owner: str) -> int:
    """Give leases back; those of others are left alone. Returns how many were given back."""
    done = execute(
        session,
        "UPDATE video SET lease_owner = NULL, lease_until = NULL, step = NULL, step_fraction = NULL "
        "WHERE id IN (SELECT id FROM video WHERE id = ANY(:videos) AND lease_owner = :owner "
        "ORDER BY site, video_id FOR UPDATE)",
        videos=list(video_pks),
        owner=owner,
    )
    return int(done.rowcount)


def lost_leases(session: Session, *, release: bool) -> int:
    """Leases that ran out: their process was killed, or cut off. Given back, whoever held one can publish no more.

    Returns how many there are, or were.
    """
    lost = "lease_owner IS NOT NULL AND lease_until < now()"
    query = f"SELECT count(*) FROM video WHERE {lost}"  # noqa: S608 - above
    if release:
        query = f"""WITH lost AS (SELECT id FROM video WHERE {lost} ORDER BY site, video_id FOR UPDATE SKIP LOCKED),
            free AS (UPDATE video SET lease_owner = NULL, lease_until = NULL, step = NULL, step_fraction = NULL
                FROM lost WHERE video.id = lost.id RETURNING 1)
            SELECT count(*) FROM free"""  # noqa: S608
    return int(execute(session, query).scalar_one())


def held(session: Session, video_pk: int, owner: str) -> VideoRow:
    """The video's row, locked for the rest of the transaction. Raises LeaseLost unless `owner` holds it."""
    row = session.exec(select(VideoRow).where(VideoRow.id == video_pk).with_for_update()).one_or_none()
    if row is None or row.lease_owner != owner:
        raise _lost(video_pk)
    return row


def clear_lease(row: VideoRow) -> None:
    """Clear the lease and the step that it was for."""
    row.lease_owner = row.lease_until = row.step = row.step_fraction = None


def _lost(video_pk: int) -> LeaseLost:
    return LeaseLost(f"somebody else has video {video_pk} now.")


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


def release_all(session: Session, owner: str | None = None) -> int:
    """Give back every lease of `owner`, or of everybody; returns how many there were."""
    done = execute(
        session,
        "UPDATE video SET lease_owner = NULL, lease_until = NULL, step = NULL, step_fraction = NULL "
        "WHERE id IN (SELECT id FROM video WHERE lease_owner IS NOT NULL "
        "AND (CAST(:owner AS text) IS NULL OR lease_owner = :owner) ORDER BY site, video_id FOR UPDATE)",
        owner=owner,
    )
    return int(done.rowcount)
