"""Which videos have a transcript that can be read again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlmodel import Session, col, select

from channelscribe.catalogue.channels import IN_CHANNEL, known_channel, unknown_channel
from channelscribe.catalogue.cleaning import clean_text
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.tables import VideoRow

__all__ = ["with_transcripts"]

READABLE = "current_transcript_pk IS NOT NULL AND state = 'published'"
"""SQL: nobody is making another transcript of the video."""


def with_transcripts(session: Session, channel: str | None, since: date | None, limit: int | None) -> list[VideoRow]:
    """Published videos with their transcript, the newest first; of a source, published on or after a day.

    Raises UnknownSource for a channel that no source is called.
    """
    if channel is not None and not known_channel(session, channel):
        raise unknown_channel(session, channel)
    where = [f"({IN_CHANNEL})"] if channel is not None else []
    where += ["published >= :since"] if since is not None else []
    found = execute(
        session,
        f"SELECT id FROM video WHERE {' AND '.join([READABLE, *where])} "  # noqa: S608
        "ORDER BY published DESC NULLS LAST, id LIMIT :limit",
        limit=limit,
        **({"channel": clean_text(channel)} if channel is not None else {}),
        **({"since": since} if since is not None else {}),
    )
    return _in_order(session, list(found.scalars()))


def _in_order(session: Session, pks: Sequence[int]) -> list[VideoRow]:
    rows = {row.id: row for row in session.exec(select(VideoRow).where(col(VideoRow.id).in_(pks)))}
    return [rows[pk] for pk in pks]
