"""What became of videos that another run was to transcribe: read back, since its word may be lost with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from channelscribe.catalogue.connection import execute

__all__ = ["Outcome", "outcomes"]

OUTCOMES = """
SELECT video.id AS pk, video_id, state, reason, message, remedy, lease_owner AS owner, transcript_id, version,
    (SELECT coalesce(sum(cardinality(word_texts)), 0) FROM segment WHERE transcript_pk = transcript.id) AS words,
    transcript.duration AS seconds
FROM video LEFT JOIN transcript ON transcript.id = current_transcript_pk WHERE video.id = ANY(:videos)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A video now. `owner` still holds it where the work on it did not end; the rest from `transcript_id` on is the
    current transcript's, None without one. Seconds are those of its audio.
    """

    pk: int
    video_id: str
    state: str
    reason: str | None
    message: str | None
    remedy: str | None
    owner: str | None
    transcript_id: str | None
    version: int | None
    words: int
    seconds: float | None


def outcomes(session: Session, video_pks: Sequence[int]) -> dict[int, Outcome]:
    """By our numbers; a video that is gone is left out."""
    rows = execute(session, OUTCOMES, videos=list(video_pks)).mappings()
    return {row["pk"]: Outcome(**row) for row in rows}
