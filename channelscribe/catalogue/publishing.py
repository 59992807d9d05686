"""Publishes a transcript: its rows, the video's current pointer and its state, in one transaction.

Files are in the store before this is called; a killed process leaves either all of it or nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql
from sqlalchemy import func
from sqlmodel import Session, col, select

from channelscribe.catalogue import transcript_rows as rows
from channelscribe.catalogue.checkpoints import note_checkpoints
from channelscribe.catalogue.cleaning import clean_json
from channelscribe.catalogue.connection import driver_connection, execute
from channelscribe.catalogue.copy_text import copy_blocks
from channelscribe.catalogue.leases import held
from channelscribe.catalogue.tables import State, TranscriptRow
from channelscribe.catalogue.videos import advance, let_go
from channelscribe.transcript import Transcript

__all__ = ["publish"]


def publish(
    session: Session,
    video_pk: int,
    owner: str,
    transcript_id: str,
    transcript: Transcript,
    reading: dict[str, Any],
    files: dict[str, str],
    models: dict[str, Any],
    reading_key: str | None = None,
    checkpoint_keys: Sequence[str] = (),
) -> int:
    """Make `transcript` the video's current one and give the lease back; returns its version, from 1.

    A `transcript_id` that the video has already keeps its rows and version, and becomes current again; another
    reading of it takes the place of the one before. Raises LeaseLost.
    """
    video = held(session, video_pk, owner)
    row = session.exec(
        select(TranscriptRow).where(TranscriptRow.video_pk == video_pk, TranscriptRow.transcript_id == transcript_id)
    ).one_or_none()
    if row is None:
        row = _new_version(session, video_pk, transcript_id, transcript, files, models)
        _copy(session, "segment", rows.segment_rows(row.id, transcript))
        _copy(session, "speaker", rows.speaker_rows(row.id, transcript))
    _replace_reading(session, row, reading, transcript, _identity(reading, reading_key))
    row.reading_key = reading_key
    session.add(row)
    note_checkpoints(session, video_pk, checkpoint_keys)
    video.current_transcript_pk = row.id
    advance(video, State.PUBLISHED)
    let_go(video)
    session.add(video)
    return row.version


def _new_version(
    session: Session,
    video_pk: int,
    transcript_id: str,
    transcript: Transcript,
    files: dict[str, str],
    models: dict[str, Any],
) -> TranscriptRow:
    # The video's row is locked, so nobody else counts versions now.
    last = session.exec(select(func.max(TranscriptRow.version)).where(col(TranscriptRow.video_pk) == video_pk)).one()
    row = TranscriptRow(
        video_pk=video_pk,
        transcript_id=transcript_id,
        version=(last or 0) + 1,
        language=transcript.language,
        duration=transcript.duration,
        no_speech=transcript.no_speech,
        models=clean_json(models),
        files=clean_json(files),
        quality=clean_json(transcript.quality),
        stages=clean_json(transcript.stages),
    )
    session.add(row)
    session.flush()
    return row


def _replace_reading(
    session: Session, row: TranscriptRow, reading: dict[str, Any], transcript: Transcript, identity: str
) -> None:
    if row.reading_id == identity:
        return
    for table in ("sentence", "entity"):
        execute(session, f"DELETE FROM {table} WHERE transcript_pk = :pk", pk=row.id)  # noqa: S608 - names of ours
    _copy(session, "sentence", rows.sentence_rows(row.id, reading))
    _copy(session, "entity", rows.entity_rows(row.id, reading, transcript))
    row.reading_id = identity
    session.add(row)


def _identity(reading: dict[str, Any], key: str | None) -> str:
    """Of its key in the store, which names all that it was made from; without one, of what is written of a reading
    (its tokens, which are ten times as much, are not).
    """
    if key is not None:
        return hashlib.sha256(key.encode()).hexdigest()
    written = json.dumps([reading.get("sentences", []), reading.get("entities", [])], sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()


def _copy(session: Session, table: str, records: Iterable[tuple[Any, ...]]) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, rows.COLUMNS[table]))
    )
    with driver_connection(session).cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy_blocks(records):
            copy.write(block)
