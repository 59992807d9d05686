"""Circuit breakers: a site that blocks an outgoing address is left alone from there, by every machine.

One row for a site and an address. Closed: no row, or one without `open_until`. Open: nothing is asked until
`open_until`. Then half-open: one request at a time tries; a success closes it, another block opens it for twice as
long.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue.connection import Database, clean_text, execute
from channelscribe.errors import (
    ChannelscribeError,
    FilteredOut,
    NoMedia,
    NotYet,
    SignInRequired,
    SourceBlocked,
    SourceNotFound,
    SuspectedBlock,
    VideoUnavailable,
    local_time,
)

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Transaction

__all__ = ["Block", "admit", "asking", "blocks", "close", "learn", "note_block", "note_success", "note_suspicion"]

FIRST_HOURS = 1.0
LONGEST_HOURS = 24.0
PROBE_SECONDS = 300.0
JITTER = 0.2
SUSPICIONS = 3
"""So many answers in a row that may mean a deletion or a ban, of different videos, are taken for a ban."""

ANSWERS = (FilteredOut, NoMedia, NotYet, SignInRequired, SourceNotFound, VideoUnavailable)
"""A no that only somebody gets who is not banned."""

# Two reports of one ban arrive together when two downloads run: an open breaker is not opened once more.
OPEN = """
INSERT INTO breaker AS known (scope, egress, strikes, open_until, reason, message, remedy)
VALUES (:scope, :egress, 1, coalesce(CAST(:not_before AS timestamptz), now() + make_interval(secs => :first)),
    :reason, :message, :remedy)
ON CONFLICT (scope, egress) DO UPDATE SET
    strikes = CASE WHEN known.open_until > now() THEN known.strikes ELSE known.strikes + 1 END,
    open_until = greatest(known.open_until, CAST(:not_before AS timestamptz),
        CASE WHEN CAST(:not_before AS timestamptz) IS NULL AND coalesce(known.open_until <= now(), true)
            THEN now() + least(make_interval(secs => :first) * power(2, least(known.strikes, 10)),
                make_interval(secs => :longest)) END),
    probe_until = NULL, suspicions = 0,
    reason = excluded.reason, message = excluded.message, remedy = excluded.remedy
RETURNING scope, egress, strikes, open_until AS until, reason, message, remedy
"""
SUSPECT = """
INSERT INTO breaker AS known (scope, egress, suspicions) VALUES (:scope, :egress, 1)
ON CONFLICT (scope, egress) DO UPDATE SET suspicions = known.suspicions + 1
RETURNING suspicions
"""
# A success of what was under way before says nothing: only a closed or half-open breaker goes.
SUCCEED = "DELETE FROM breaker WHERE scope = :scope AND egress = :egress AND coalesce(open_until <= now(), true)"
FIND = """
SELECT scope, egress, strikes, open_until AS until, reason, message, remedy, open_until > now() AS open,
    probe_until > now() AS probed, probe_until
FROM breaker WHERE scope = :scope AND egress = :egress AND open_until IS NOT NULL FOR UPDATE
"""
PROBE = """
UPDATE breaker SET probe_until = now() + make_interval(secs => :seconds) WHERE scope = :scope AND egress = :egress
"""
ALL = """
SELECT scope, egress, strikes, open_until AS until, reason, message, remedy FROM breaker
WHERE open_until > now() ORDER BY scope, egress
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A site that is left alone from an outgoing address (`egress`) `until` then. `strikes`: how often by now."""

    scope: str
    egress: str
    strikes: int
    until: datetime
    reason: str
    message: str
    remedy: str

    def error(self) -> SourceBlocked:
        """What whoever wanted to ask is told."""
        return SourceBlocked(
            f"{self.scope} is not asked until {local_time(self.until)}: {self.message}",
            remedy=self.remedy or "Wait; `channelscribe sync SOURCE --again blocked` asks at once.",
            reason=self.reason,
            not_before=self.until,
        )


@contextmanager
def asking(database: Database, scope: str, egress: str) -> Iterator[None]:
    """Around all requests for one listing or video. `scope` is the site, or the host of what is no known site.

    Raises SourceBlocked without a request while the breaker for this site and outgoing address is open. What the
    requests raise opens it: a block at once, what may be one when it comes in a row.
    """
    block = database.run(admit, scope, egress)
    if block is not None:
        raise block.error()
    try:
        yield
    except ChannelscribeError as error:
        told = learn(database, scope, egress, error)
        if told is error:
            raise
        raise told from error
    database.run(note_success, scope, egress)


def learn(database: Database, scope: str, egress: str, error: ChannelscribeError) -> ChannelscribeError:
    """Remember what an answer says of this address; returns the error to go on with."""
    if isinstance(error, SourceBlocked):
        return database.run(note_block, scope, egress, error).error()
    if isinstance(error, SuspectedBlock):
        opened = database.run(note_suspicion, scope, egress, error)
        return opened.error() if opened else error
    # Cookies are looked at before anything is asked; a bare "Video unavailable" is said to banned addresses, too.
    if isinstance(error, ANSWERS) and error.reason not in ("cookies", "proxy", VideoUnavailable.reason):
        database.run(note_success, scope, egress)
    return error


def admit(session: Session, scope: str, egress: str) -> Block | None:
    """None when the site may be asked now. Of a half-open breaker the caller is the one that tries."""
    row = execute(session, FIND, scope=scope, egress=egress).mappings().one_or_none()
    if row is None:
        return None
    if row["open"]:
        return _block(row)
    if row["probed"]:
        return _block({**row, "until": row["probe_until"]})
    execute(session, PROBE, scope=scope, egress=egress, seconds=PROBE_SECONDS)
    return None


def note_block(session: Session, scope: str, egress: str, error: ChannelscribeError) -> Block:
    """Open the breaker: for an hour, twice as long each time it happens again (a day at most), or as long as told."""
    row = execute(
        session,
        OPEN,
        scope=scope,
        egress=egress,
        first=FIRST_HOURS * 3600 * random.uniform(1, 1 + JITTER),
        longest=LONGEST_HOURS * 3600,
        # What the site says counts, however short it is; a time that has passed says nothing.
        not_before=error.not_before if error.not_before and error.not_before > datetime.now(UTC) else None,
        reason=error.reason,
        message=clean_text(error.message),
        remedy=clean_text(error.remedy),
    )
    return _block(row.mappings().one())


def note_suspicion(session: Session, scope: str, egress: str, error: ChannelscribeError) -> Block | None:
    """Count an answer that may mean a ban; opens the breaker when there were several in a row."""
    count = execute(session, SUSPECT, scope=scope, egress=egress).scalar_one()
    return note_block(session, scope, egress, error) if count >= SUSPICIONS else None


def note_success(session: Session, scope: str, egress: str) -> None:
    """The site answers: forget strikes and suspicions."""
    execute(session, SUCCEED, scope=scope, egress=egress)


def close(session: Session, scope: str | None = None) -> int:
    """Forget the blocks by a site, or by all: the operator says so. Returns how many there were."""
    statement = "DELETE FROM breaker WHERE CAST(:scope AS text) IS NULL OR scope = :scope"
    return int(execute(session, statement, scope=scope).rowcount)


def blocks(session: Transaction) -> list[Block]:
    """The breakers that are open now."""
    return [_block(row) for row in execute(session, ALL).mappings()]


def _block(row: Any) -> Block:
    names = ("scope", "egress", "strikes", "until", "reason", "message", "remedy")
    return Block(**{name: row[name] for name in names})
