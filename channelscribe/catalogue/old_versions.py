"""Transcripts that are no longer current, and how they go: rows first, so that no row ever points to a missing file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from channelscribe.catalogue.connection import execute
from channelscribe.errors import KeyRefused
from channelscribe.store.layout import checkpoint_key

__all__ = ["OldVersion", "delete_old_version", "old_versions"]

FIND = """
SELECT transcript.id AS pk, video.id AS video_pk, site, video_id, version, transcript_id, files, reading_key
FROM transcript JOIN video ON video.id = transcript.video_pk
WHERE transcript.created_at < :before AND video.current_transcript_pk IS NOT NULL
    AND video.current_transcript_pk <> transcript.id AND lease_owner IS NULL
ORDER BY transcript.id
"""


@dataclass(frozen=True, slots=True)
class OldVersion:
    """A version of a video's transcript that another one took the place of, with its files in the store."""

    pk: int
    video_pk: int
    video: str
    version: int
    keys: list[str]


def old_versions(session: Session, before: datetime) -> list[OldVersion]:
    """Versions made before this time that are not current, of videos that nobody works on."""
    found = []
    for row in execute(session, FIND, before=before):
        keys = [*row.files.values(), *([row.reading_key] if row.reading_key else [])]
        with suppress(KeyRefused):  # an id that is none of ours
            keys.append(checkpoint_key("transcript", row.transcript_id))
        found.append(OldVersion(row.pk, row.video_pk, f"{row.site}:{row.video_id}", row.version, sorted(keys)))
    return found


def delete_old_version(session: Session, version: OldVersion) -> bool:
    """Its rows, unless it has become current or somebody works on the video: then False."""
    free = execute(
        session,
        "SELECT id FROM video WHERE id = :video AND lease_owner IS NULL AND current_transcript_pk <> :pk FOR UPDATE",
        video=version.video_pk,
        pk=version.pk,
    ).one_or_none()
    if free is None:
        return False
    execute(session, "DELETE FROM transcript WHERE id = :pk", pk=version.pk)
    return True
