"""The rows of videos: which are due, how they are found, and what becomes known of them on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import or_, text
from sqlmodel import Session, col, select

from channelscribe.catalogue.cleaning import clean_json, clean_text
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.leases import DUE, FREE, held
from channelscribe.catalogue.tables import AudioRow, SourceRow, SourceVideoRow, State, VideoRow

__all__ = [
    "audio_of",
    "due",
    "find_videos",
    "left_out",
    "list_videos",
    "make_due",
    "record_audio",
    "record_details",
    "record_state",
    "rows_of",
    "sources",
    "waiting",
]

LARGEST_KEY = 2**63 - 1


def due(session: Session, source_pk: int, limit: int | None) -> list[VideoRow]:
    """Videos of the source that want work and that nobody holds, in the source's order."""
    query = (
        select(VideoRow)
        .join(SourceVideoRow, col(SourceVideoRow.video_pk) == col(VideoRow.id))
        .where(SourceVideoRow.source_pk == source_pk, col(SourceVideoRow.gone_at).is_(None))
        .where(text(DUE), text(FREE))
        .order_by(col(SourceVideoRow.position).nulls_last(), col(VideoRow.id))
    )
    return list(session.exec(query.limit(limit)).all())


def sources(session: Session) -> list[SourceRow]:
    """All sources, oldest first."""
    return list(session.exec(select(SourceRow).order_by(col(SourceRow.id))).all())


def rows_of(session: Session, video_pks: Sequence[int]) -> list[VideoRow]:
    """The videos with these numbers."""
    return list(session.exec(select(VideoRow).where(col(VideoRow.id).in_(list(video_pks)))).all())


def left_out(session: Session, source_pk: int) -> list[tuple[str, str | None, int, str | None]]:
    """(state, reason, videos, message) of the source's videos that are not due, the most frequent first."""
    query = f"""
        SELECT state, reason, count(*) AS videos, max(message) AS message
        FROM video JOIN source_video AS link ON link.video_pk = video.id
        WHERE link.source_pk = :source AND link.gone_at IS NULL AND NOT ({DUE} AND {FREE})
        GROUP BY state, reason ORDER BY videos DESC, state, reason"""  # noqa: S608 - constants of the module leases
    return [tuple(row) for row in execute(session, query, source=source_pk)]


def waiting(session: Session, source_pk: int) -> int:
    """How many of the source's videos wait: upcoming, live, just ended."""
    query = """SELECT count(*) FROM video JOIN source_video AS link ON link.video_pk = video.id
        WHERE link.source_pk = :source AND link.gone_at IS NULL AND state = 'waiting'"""
    count: int = execute(session, query, source=source_pk).scalar_one()
    return count


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


def list_videos(session: Session, source_pk: int) -> list[VideoRow]:
    """All videos of the source in its order; those gone from it last."""
    query = (
        select(VideoRow)
        .join(SourceVideoRow, col(SourceVideoRow.video_pk) == col(VideoRow.id))
        .where(SourceVideoRow.source_pk == source_pk)
        .order_by(
            col(SourceVideoRow.gone_at).is_not(None),
            col(SourceVideoRow.position).nulls_last(),
            col(VideoRow.id),
        )
    )
    return list(session.exec(query).all())


def find_videos(session: Session, wanted: str) -> list[VideoRow]:
    """Videos by URL, `site:id`, the site's id, or our number; a number that is also a site's id means the id."""
    wanted = clean_text(wanted).strip()
    site, _, video_id = wanted.partition(":")
    query = select(VideoRow).where(
        or_(
            col(VideoRow.url) == wanted,
            col(VideoRow.video_id) == wanted,
            (col(VideoRow.site) == site) & (col(VideoRow.video_id) == video_id),
        )
    )
    rows = list(session.exec(query.order_by(col(VideoRow.id))).all())
    if not rows and wanted.isascii() and wanted.isdigit() and int(wanted) <= LARGEST_KEY:
        rows = list(session.exec(select(VideoRow).where(VideoRow.id == int(wanted))).all())
    return rows


def record_details(session: Session, video_pk: int, owner: str, details: dict[str, Any]) -> None:
    """Fill in what the video's own page told: title, description, duration, published, live_status."""
    row = held(session, video_pk, owner)
    for name in ("title", "description", "duration", "published", "live_status"):
        if details.get(name) is not None:
            setattr(row, name, clean_json(details[name]))
    session.add(row)


def record_audio(session: Session, video_pk: int, owner: str, audio: dict[str, Any]) -> AudioRow:
    """Write the prepared audio and the state `downloaded`. The same source and options again replace the row."""
    row = held(session, video_pk, owner)
    known = session.exec(
        select(AudioRow).where(
            AudioRow.video_pk == video_pk,
            AudioRow.source_sha256 == audio["source_sha256"],
            AudioRow.options_key == audio["options_key"],
        )
    ).one_or_none()
    written = known or AudioRow(video_pk=video_pk, **audio)
    for name, value in clean_json(audio).items():
        setattr(written, name, value)
    session.add(written)
    advance(row, State.DOWNLOADED)
    session.add(row)
    session.flush()
    return written


def audio_of(session: Session, video_pk: int) -> AudioRow | None:
    """The audio that was prepared last."""
    query = select(AudioRow).where(AudioRow.video_pk == video_pk).order_by(col(AudioRow.id).desc())
    return session.exec(query.limit(1)).first()


def record_state(
    session: Session, video_pk: int, owner: str, state: State, reason: str | None, message: str | None
) -> None:
    """Move a video on. `downloaded` and `transcribed` keep the lease, every other state gives it back."""
    row = held(session, video_pk, owner)
    advance(row, state)
    row.reason, row.message = reason, message and clean_text(message)
    if state not in (State.DOWNLOADED, State.TRANSCRIBED):
        let_go(row)
    session.add(row)


def advance(row: VideoRow, state: State) -> None:
    """A step succeeded: what went wrong before no longer matters."""
    row.state = state.value
    row.reason = row.message = row.remedy = row.next_check_at = None
    row.attempts = 0
    row.updated_at = datetime.now(UTC)


def let_go(row: VideoRow) -> None:
    """Clear the lease and the step that it was for."""
    row.lease_owner = row.lease_until = row.step = row.step_fraction = None
