"""What the catalogue points to in the store, for whoever wants to delete something of it: retention, sweeps, takedowns.

A claim skips a locked row and publishing waits for it. So what is decided under `locked_standing` holds until the end
of the transaction, and the store may be changed in between. A checkpoint's key is made of content and tells no video:
a step notes it before it looks whether the store has it, and who deletes one holds the table meanwhile, so between the
look and the use it cannot go. Of a takedown stays a tombstone: the video's address on the site, and since when.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue import voices
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.listings import FORGET_TITLE
from channelscribe.catalogue.states import SETTLED
from channelscribe.catalogue.words import drop_words, words_of
from channelscribe.errors import KeyRefused
from channelscribe.sources.identifiers import safe_id
from channelscribe.store.layout import checkpoint_key

if TYPE_CHECKING:
    from sqlmodel import Session

__all__ = [
    "CheckpointUse",
    "OldVersion",
    "Remains",
    "Standing",
    "VideoName",
    "channel_of",
    "checkpoints_of",
    "delete_old_version",
    "forget_checkpoints",
    "forget_publisher_transcripts",
    "hosts_of",
    "locked_standing",
    "mark_taken_down",
    "names_of",
    "note_checkpoint",
    "note_checkpoints",
    "old_versions",
    "published",
    "remains",
    "standings",
    "uses_of",
]

VideoName = tuple[str, str]
"""Site and the site's id."""

STANDINGS = f"""
SELECT video.id AS pk, site, video_id, {SETTLED} AS settled, lease_owner IS NOT NULL AS held,
    taken_down_at IS NOT NULL AS taken_down,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('archive', archive_key, 'speech', speech_key, 'format', format_id,
        'parts', part_keys)), '[]') FROM audio WHERE audio.video_pk = video.id) AS audio,
    (SELECT max(created_at) FROM audio WHERE audio.video_pk = video.id) AS made_at,
    ARRAY(SELECT key FROM checkpoint WHERE checkpoint.video_pk = video.id) AS checkpoints,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('files', files, 'reading', reading_key)), '[]')
        FROM transcript WHERE transcript.video_pk = video.id) AS transcripts,
    coalesce(jsonb_path_query_array(to_jsonb(video) -> 'publisher_transcripts', '$[*].key'), '[]') AS publisher
FROM video WHERE (site, video_id) IN (SELECT * FROM unnest(CAST(:sites AS text[]), CAST(:ids AS text[])))
"""  # noqa: S608 - a constant of this module


@dataclass(frozen=True, slots=True)
class Standing:
    """`settled`: at the end of its way. `held`: somebody works on it. `made_at`: when its audio was prepared last.
    None for keys: the rows do not tell them all.
    """

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
    checkpoints: frozenset[str]
    made_at: datetime | None

    def pointers(self, name: VideoName) -> dict[str, Iterable[str]]:
        """Keys by kind, as far as the rows tell them; originals without their extension, and without a picture."""
        originals = [f"originals/{'/'.join(name)}/{each}" for each in self.originals or () if each != "cover"]
        kinds = ("archives", "speech_tracks", "audio_parts", "transcripts", "readings", "checkpoints")
        return {"originals": originals, **{kind: getattr(self, kind) or () for kind in kinds}}

    def points_to(self, kind: str, key: str) -> bool:
        """Whether a row of this video names the object. Originals are known by their format."""
        keys: frozenset[str] | None = getattr(self, kind)
        if kind == "originals":
            return keys is None or key.rpartition("/")[2].partition(".")[0] in keys
        return keys is None or key in keys


def standings(session: Session, names: Sequence[VideoName]) -> dict[VideoName, Standing]:
    """Those of the videos that are in the catalogue."""
    rows = execute(session, STANDINGS, sites=[site for site, _ in names], ids=[video_id for _, video_id in names])
    return {(row["site"], row["video_id"]): _standing(row) for row in rows.mappings()}


def published(session: Session, after: int, limit: int) -> dict[int, VideoName]:
    """Published videos that nobody works on, by their number, after this one."""
    query = (
        "SELECT id, site, video_id FROM video WHERE id > :after AND state = 'published' AND lease_owner IS NULL "
        "ORDER BY id LIMIT :limit"
    )
    return {row.id: (row.site, row.video_id) for row in execute(session, query, after=after, limit=limit)}


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
        transcripts=frozenset([*(key for each in transcripts for key in each["files"].values()), *row["publisher"]]),
        readings=_all_known([each["reading"]] if each["reading"] else None for each in transcripts),
        checkpoints=frozenset(row["checkpoints"]),
        made_at=row["made_at"],
    )


def _all_known(lists: Iterable[list[str] | None]) -> frozenset[str] | None:
    """None as soon as one does not tell."""
    found: set[str] = set()
    for keys in lists:
        if keys is None:
            return None
        found.update(keys)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class CheckpointUse:
    """`videos`: that have it. `busy`: one of them is in work, or not at the end of its way."""

    videos: int
    busy: bool


def note_checkpoint(session: Session, video_pk: int, key: str) -> None:
    """Say that a video is made with this checkpoint, before looking whether the store has it."""
    note_checkpoints(session, video_pk, [key])


def note_checkpoints(session: Session, video_pk: int, keys: Sequence[str]) -> None:
    """A video is made with these; once noted is enough."""
    execute(
        session,
        "INSERT INTO checkpoint (video_pk, key) SELECT :video, unnest(CAST(:keys AS text[])) ON CONFLICT DO NOTHING",
        video=video_pk,
        keys=sorted(keys),
    )


def uses_of(session: Session, keys: Sequence[str], *, lock: bool = False) -> dict[str, CheckpointUse]:
    """Who uses these checkpoints; those that nobody uses are left out.

    With `lock` nobody can begin to, until the end of the transaction; a video that somebody else has locked is busy.
    """
    locked = ""
    if lock:
        execute(session, "LOCK TABLE checkpoint IN SHARE ROW EXCLUSIVE MODE")
        locked = "ORDER BY site, video_id FOR UPDATE OF video SKIP LOCKED"
    query = f"""
        WITH found AS (
            SELECT checkpoint.key, video.id, {SETTLED} AND lease_owner IS NULL AS idle
            FROM checkpoint JOIN video ON video.id = checkpoint.video_pk
            WHERE checkpoint.key = ANY(:keys) {locked})
        SELECT checkpoint.key, count(*) AS videos, NOT coalesce(bool_and(found.idle IS TRUE), false) AS busy
        FROM checkpoint LEFT JOIN found ON found.key = checkpoint.key AND found.id = checkpoint.video_pk
        WHERE checkpoint.key = ANY(:keys) GROUP BY checkpoint.key"""  # noqa: S608 - constants of this program
    rows = execute(session, query, keys=list(keys)).mappings()
    return {row["key"]: CheckpointUse(row["videos"], row["busy"]) for row in rows}


def checkpoints_of(session: Session, video_pk: int) -> list[str]:
    """The checkpoints that are for this video alone."""
    found = execute(
        session,
        "SELECT key FROM checkpoint AS mine WHERE video_pk = :video AND NOT EXISTS ("
        "SELECT FROM checkpoint AS other WHERE other.key = mine.key AND other.video_pk <> :video) ORDER BY key",
        video=video_pk,
    )
    return [str(key) for key in found.scalars()]


def forget_checkpoints(session: Session, keys: Sequence[str] = (), video_pk: int | None = None) -> None:
    """They are gone from the store; or a video has none any more."""
    statement = "DELETE FROM checkpoint WHERE key = ANY(:keys) OR video_pk = :video"
    execute(session, statement, keys=list(keys), video=video_pk)


FORGET_PUBLISHER = """
UPDATE video SET publisher_transcripts = coalesce((SELECT jsonb_agg(each) FROM jsonb_array_elements(
    publisher_transcripts) AS each WHERE NOT each->>'key' = ANY(:keys)), '[]') WHERE id = :video
"""


def forget_publisher_transcripts(session: Session, video_pk: int, keys: Sequence[str]) -> None:
    """These are gone from the store, and nothing but their publisher can bring them back."""
    execute(session, FORGET_PUBLISHER, video=video_pk, keys=list(keys))


OLD_VERSIONS = """
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
    for row in execute(session, OLD_VERSIONS, before=before):
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
    words = words_of(session, [version.pk])
    execute(session, "DELETE FROM transcript WHERE id = :pk", pk=version.pk)
    drop_words(session, words)
    return True


COUNTED = {
    "transcripts": "transcript WHERE video_pk = :video",
    "segments": "segment JOIN transcript ON transcript.id = transcript_pk WHERE video_pk = :video",
    "sentences": "sentence JOIN transcript ON transcript.id = transcript_pk WHERE video_pk = :video",
    "entities": "entity JOIN transcript ON transcript.id = transcript_pk WHERE video_pk = :video",
    "audio": "audio WHERE video_pk = :video",
    "corrections": "correction WHERE video_pk = :video",
    "voices": "speaker_voice JOIN transcript ON transcript.id = transcript_pk WHERE video_pk = :video",
}

EMPTY = """
UPDATE video SET taken_down_at = coalesce(taken_down_at, now()), state = 'excluded', reason = 'taken_down', title = '',
    private_url = NULL, verdict = NULL, verdict_at = NULL,
    description = NULL, duration = NULL, published = NULL, live_status = NULL, availability = NULL, release_at = NULL,
    post_live_since = NULL, message = NULL, remedy = NULL, attempts = 0, rejected = 0, next_check_at = NULL,
    step = NULL, step_fraction = NULL, lease_owner = NULL, lease_until = NULL, current_transcript_pk = NULL,
    announced_bytes = NULL, replaced_at = NULL, about = '{}', chapters = '[]', publisher_transcripts = '[]',
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


def channel_of(session: Session, video_pk: int) -> str:
    """The title of the first source that lists the video, as files of transcripts name it."""
    query = (
        "SELECT coalesce(nullif(source.title, ''), source.source_id) FROM source_video "
        "JOIN source ON source.id = source_pk WHERE video_pk = :video ORDER BY source.id LIMIT 1"
    )
    return str(execute(session, query, video=video_pk).scalar_one_or_none() or "")


def hosts_of(session: Session, video_pk: int) -> list[str]:
    """The machines that did something for this video, as far as it is remembered."""
    query = "SELECT DISTINCT split_part(worker, ':', 1) AS host FROM stage_run WHERE video_pk = :video ORDER BY host"
    return [str(host) for host in execute(session, query, video=video_pk).scalars() if host]


def mark_taken_down(session: Session, video_pk: int) -> None:
    """Delete its transcripts and audio, and empty its row. A run that has it loses its lease: it can publish no more.

    Which checkpoints it had stays known until they are deleted.
    """
    execute(session, "SELECT id FROM video WHERE id = :video FOR UPDATE", video=video_pk)
    transcripts = execute(session, "SELECT id FROM transcript WHERE video_pk = :video", video=video_pk).scalars()
    words = words_of(session, list(transcripts))
    voices.forget_video(session, video_pk)
    execute(session, EMPTY, video=video_pk)
    for table in ("transcript", "audio", "stage_run", "correction"):
        execute(session, f"DELETE FROM {table} WHERE video_pk = :video", video=video_pk)  # noqa: S608 - names of ours
    drop_words(session, words)
    sources = execute(session, "SELECT source_pk FROM source_video WHERE video_pk = :video", video=video_pk).scalars()
    for source in list(sources):
        execute(session, FORGET_TITLE, source=source)
        # What a folder's files are known by; they are looked at once more.
        execute(session, "UPDATE source SET memory = memory - 'files' WHERE id = :source", source=source)
