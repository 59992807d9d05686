"""Reads published transcripts back."""

from __future__ import annotations

from sqlmodel import Session, col, select

from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.tables import TranscriptRow, VideoRow
from channelscribe.catalogue.transcript_rows import segment_of, turns_of
from channelscribe.catalogue.videos import find_videos
from channelscribe.errors import UnknownVideo
from channelscribe.transcript import Transcript

__all__ = ["transcript_of", "versions"]


def transcript_of(
    session: Session, video: int | str, version: int | None
) -> tuple[VideoRow, TranscriptRow, Transcript]:
    """A video's current transcript, or the version asked for. Raises UnknownVideo where there is none.

    A word for `find_videos` that fits several videos means the first one that has a transcript.
    """
    found = _find(session, video)
    for row in found:
        wanted = select(TranscriptRow).where(TranscriptRow.video_pk == row.id)
        if version is None:
            wanted = wanted.where(col(TranscriptRow.id) == row.current_transcript_pk)
        else:
            wanted = wanted.where(TranscriptRow.version == version)
        transcript = session.exec(wanted).one_or_none()
        if transcript is not None:
            return row, transcript, _load(session, transcript)
    if not found:
        raise UnknownVideo(f"no video {video!s} in the catalogue.", remedy="`channelscribe sync` brings videos in.")
    what = "transcript" if version is None else f"version {version} of a transcript"
    raise UnknownVideo(f"video {video!s} has no {what}; its state is {found[0].state}.")


def versions(session: Session, video_pk: int) -> list[TranscriptRow]:
    """All transcripts of a video, the first version first."""
    query = select(TranscriptRow).where(TranscriptRow.video_pk == video_pk)
    return list(session.exec(query.order_by(col(TranscriptRow.version))).all())


def _find(session: Session, video: int | str) -> list[VideoRow]:
    if isinstance(video, str):
        return find_videos(session, video)
    row = session.get(VideoRow, video)
    return [] if row is None else [row]


def _load(session: Session, row: TranscriptRow) -> Transcript:
    segments = execute(
        session, "SELECT * FROM segment WHERE transcript_pk = :transcript ORDER BY index", transcript=row.id
    ).all()
    speakers = execute(session, "SELECT * FROM speaker WHERE transcript_pk = :transcript", transcript=row.id).all()
    return Transcript(
        language=row.language,
        duration=row.duration,
        segments=[segment_of(segment) for segment in segments],
        turns=turns_of(speakers),
        models=row.models,
        no_speech=row.no_speech,
        quality=row.quality,
    )
