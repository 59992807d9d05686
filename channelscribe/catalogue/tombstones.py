"""Takes a video out of the catalogue for good. What stays is a tombstone: its address on the site, and since when.

Listings pass over a tombstone, nobody can lease it, and a constraint of the table keeps its texts empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.listings import FORGET_TITLE

__all__ = ["Remains", "bury", "remains"]

COUNTED = {
    "transcripts": "transcript WHERE video_pk = :video",
    "segments": "segment JOIN transcript ON transcript.id = transcript_pk WHERE video_pk = :video",
    "sentences": "sentence JOIN transcript ON transcript.id = transcript_pk WHERE video_pk = :video",
    "entities": "entity JOIN transcript ON transcript.id = transcript_pk WHERE video_pk = :video",
    "audio": "audio WHERE video_pk = :video",
}

EMPTY = """
UPDATE video SET taken_down_at = coalesce(taken_down_at, now()), state = 'excluded', reason = 'taken_down', title = '',
    description = NULL, duration = NULL, published = NULL, live_status = NULL, availability = NULL, release_at = NULL,
    post_live_since = NULL, message = NULL, remedy = NULL, attempts = 0, rejected = 0, next_check_at = NULL,
    step = NULL, step_fraction = NULL, lease_owner = NULL, lease_until = NULL, current_transcript_pk = NULL,
    updated_at = now()
WHERE id = :video
"""


@dataclass(frozen=True, slots=True)
class Remains:
    """What the catalogue holds of a video, in rows. `leased`: a run works on it now."""

    rows: dict[str, int]
    leased: bool
    taken_down: bool


def remains(session: Session, video_pk: int) -> Remains:
    """Counts of the rows that a takedown deletes."""
    rows = {
        name: int(execute(session, f"SELECT count(*) FROM {where}", video=video_pk).scalar_one())  # noqa: S608 - above
        for name, where in COUNTED.items()
    }
    row = execute(
        session,
        "SELECT lease_owner IS NOT NULL AND lease_until >= now() AS leased, taken_down_at IS NOT NULL AS taken_down "
        "FROM video WHERE id = :video",
        video=video_pk,
    ).one()
    return Remains(rows, row.leased, row.taken_down)


def bury(session: Session, video_pk: int) -> None:
    """Delete its transcripts and audio, and empty its row. A run that has it loses its lease: it can publish no more.

    Which checkpoints it had stays known until they are deleted.
    """
    execute(session, "SELECT id FROM video WHERE id = :video FOR UPDATE", video=video_pk)
    execute(session, EMPTY, video=video_pk)
    for table in ("transcript", "audio", "stage_run"):
        execute(session, f"DELETE FROM {table} WHERE video_pk = :video", video=video_pk)  # noqa: S608 - names of ours
    sources = execute(session, "SELECT source_pk FROM source_video WHERE video_pk = :video", video=video_pk).scalars()
    for source in list(sources):
        execute(session, FORGET_TITLE, source=source)
