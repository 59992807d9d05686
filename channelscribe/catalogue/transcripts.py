"""Reads published transcripts back."""

from __future__ import annotations

from sqlmodel import Session, col, select

from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.corpus import SEGMENTS
from channelscribe.catalogue.tables import TranscriptRow, VideoRow
from channelscribe.catalogue.transcript_rows import segment_of, turns_of
from channelscribe.catalogue.videos import find_videos
from channelscribe.errors import UnknownVideo
from channelscribe.transcript import Transcript

__all__ = ["make_current", "transcript_of", "versions"]


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


def make_current(session: Session, video_pk: int, version: int) -> bool:
    """Move the video's pointer to a version that it has, in this transaction; False where it is there already.

    A run that holds the video goes on, and moves the pointer again when it publishes. Raises UnknownVideo.
    """
    video = session.exec(select(VideoRow).where(VideoRow.id == video_pk).with_for_update()).one_or_none()
    wanted = select(TranscriptRow).where(TranscriptRow.video_pk == video_pk, TranscriptRow.version == version)
    row = session.exec(wanted).one_or_none()
    if video is None or row is None:
        raise UnknownVideo(
            f"video {video_pk} has no version {version} of a transcript.", remedy="`channelscribe versions` lists them."
        )
    if video.current_transcript_pk == row.id:
        return False
    video.current_transcript_pk = row.id
    session.add(video)
    return True


def _find(session: Session, video: int | str) -> list[VideoRow]:
    if isinstance(video, str):
        return find_videos(session, video)
    row = session.get(VideoRow, video)
    return [] if row is None else [row]


def _load(session: Session, row: TranscriptRow) -> Transcript:
    segments = execute(session, SEGMENTS, transcript=row.id).all()
    speakers = execute(session, "SELECT * FROM speaker WHERE transcript_pk = :transcript", transcript=row.id).all()
    return Transcript(
        language=row.language,
        duration=row.duration,
        segments=[segment_of(segment) for segment in segments],
        turns=turns_of(speakers),
        models=row.models,
        no_speech=row.no_speech,
        quality=row.quality,
        stages=row.stages,
    )
