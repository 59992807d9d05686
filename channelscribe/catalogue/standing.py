"""Where a video stands, for whoever wants to delete something of it: who works on it, what do its rows point to.

A claim skips a locked row and publishing waits for it. So what is decided under `locked_standing` holds until the end
of the transaction, and the store may be changed in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from channelscribe.catalogue.connection import execute
from channelscribe.sources.identifiers import safe_id

__all__ = ["SETTLED", "Standing", "VideoName", "locked_standing", "names_of", "standings"]

VideoName = tuple[str, str]
"""Site and the site's id."""

SETTLED = "(video.state IN ('published', 'unavailable', 'excluded'))"
"""SQL: a video at the end of its way: no sync goes on with it."""

FIND = f"""
SELECT video.id AS pk, site, video_id, {SETTLED} AS settled, lease_owner IS NOT NULL AS held,
    taken_down_at IS NOT NULL AS taken_down,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('archive', archive_key, 'speech', speech_key, 'format', format_id,
        'parts', part_keys)), '[]') FROM audio WHERE audio.video_pk = video.id) AS audio,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('files', files, 'reading', reading_key)), '[]')
        FROM transcript WHERE transcript.video_pk = video.id) AS transcripts
FROM video WHERE (site, video_id) IN (SELECT * FROM unnest(CAST(:sites AS text[]), CAST(:ids AS text[])))
"""  # noqa: S608 - a constant of this module


@dataclass(frozen=True, slots=True)
class Standing:
    """`settled`: at the end of its way. `held`: somebody works on it. None for keys: the rows do not tell them all."""

    pk: int
    settled: bool
    held: bool
    taken_down: bool
    archives: frozenset[str]
    speech_tracks: frozenset[str]
    originals: frozenset[str] | None
    audio_parts: frozenset[str] | None
    transcripts: frozenset[str]
    readings: frozenset[str] | None

    def points_to(self, kind: str, key: str) -> bool:
        """Whether a row of this video names the object. Originals are known by their format."""
        keys: frozenset[str] | None = getattr(self, kind)
        if kind == "originals":
            return keys is None or key.rpartition("/")[2].partition(".")[0] in keys
        return keys is None or key in keys


def standings(session: Session, names: Sequence[VideoName]) -> dict[VideoName, Standing]:
    """Those of the videos that are in the catalogue."""
    rows = execute(session, FIND, sites=[site for site, _ in names], ids=[video_id for _, video_id in names])
    return {(row["site"], row["video_id"]): _standing(row) for row in rows.mappings()}


def locked_standing(session: Session, name: VideoName) -> Standing | None:
    """One video, which nobody can claim or publish until the end of the transaction.

    None when the catalogue does not have it; then nothing can be listed meanwhile.
    """
    known = execute(
        session, "SELECT id FROM video WHERE (site, video_id) = (:site, :id) FOR UPDATE", site=name[0], id=name[1]
    ).one_or_none()
    if known is None:
        execute(session, "LOCK TABLE video IN SHARE MODE")
    return standings(session, [name]).get(name)


def names_of(session: Session, joined: Sequence[str]) -> dict[str, VideoName]:
    """The videos whose site and id, with a dash between, are these."""
    name = "site || '-' || video_id"
    query = f"SELECT {name} AS joined, site, video_id FROM video WHERE {name} = ANY(:all)"  # noqa: S608 - above
    return {row.joined: (row.site, row.video_id) for row in execute(session, query, all=list(joined))}


def _standing(row: Any) -> Standing:
    audio, transcripts = row["audio"], row["transcripts"]
    formats = _all_known([each["format"]] if each["format"] else None for each in audio)
    return Standing(
        pk=row["pk"],
        settled=row["settled"],
        held=row["held"],
        taken_down=row["taken_down"],
        archives=frozenset(each["archive"] for each in audio),
        speech_tracks=frozenset(each["speech"] for each in audio),
        originals=None if formats is None else frozenset([*map(safe_id, formats), *(["cover"] if audio else [])]),
        audio_parts=_all_known(each["parts"] for each in audio),
        transcripts=frozenset(key for each in transcripts for key in each["files"].values()),
        readings=_all_known([each["reading"]] if each["reading"] else None for each in transcripts),
    )


def _all_known(lists: Iterable[list[str] | None]) -> frozenset[str] | None:
    """None as soon as one does not tell."""
    found: set[str] = set()
    for keys in lists:
        if keys is None:
            return None
        found.update(keys)
    return frozenset(found)
