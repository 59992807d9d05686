"""Reads published transcripts back: one video's, the candidates for a new version, a channel's as a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue import voices
from channelscribe.catalogue.connection import Database, clean_text, execute
from channelscribe.catalogue.finding import find
from channelscribe.catalogue.listings import IN_CHANNEL, known_channel, unknown_channel
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.transcript import Segment, Transcript, Turn, Word

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Transaction
    from channelscribe.catalogue.tables import VideoRow

__all__ = [
    "Candidate",
    "CorpusVideo",
    "Wanted",
    "as_recognized",
    "choose",
    "compared",
    "corpus",
    "described",
    "make_current",
    "named_row",
    "segment_of",
    "transcript_of",
    "turns_of",
    "usual_language",
    "versions",
    "with_transcripts",
]


VIDEO = """
SELECT id, site, video_id, guid, url, title, published, duration, state, chapters, about, publisher_transcripts,
    current_transcript_pk
FROM video WHERE id = :video
"""
# A schema from before corrections has no column of them.
VERSIONS = """
SELECT id, video_pk, transcript_id, version, language, duration, no_speech, models, files, quality, stages, reading_id,
    reading_key, created_at, to_jsonb(transcript) ->> 'corrected' AS corrected
FROM transcript WHERE video_pk = :video ORDER BY version
"""


def transcript_of(
    session: Transaction, video: int | str, version: int | None = None, *, recognized: bool = False, named: bool = True
) -> tuple[Any, Any, Transcript]:
    """A video's current transcript, or the version asked for, as people corrected it, with the names that they gave its
    speakers unless `named` is False; with `recognized` as it was before; and the rows of both. Raises UnknownVideo
    where there is none.

    A word for `find` that fits several videos means the first one that has a transcript.
    """
    pks = find(session, video) if isinstance(video, str) else [video]
    found = [row for pk in pks for row in execute(session, VIDEO, video=pk)]
    for row in found:
        for each in versions(session, row.id):
            if each.id == row.current_transcript_pk if version is None else each.version == version:
                return row, each, _load(session, each, recognized, named=named and not recognized)
    if not found:
        raise UnknownVideo(f"no video {video!s} in the catalogue.", remedy="`channelscribe sync` brings videos in.")
    what = "transcript" if version is None else f"version {version} of a transcript"
    raise UnknownVideo(f"video {video!s} has no {what}; its state is {found[0].state}.")


def chapters_of(session: Transaction, site_gives: Sequence[Any], transcript_pk: int) -> list[Any]:
    """Chapters as [seconds, title]: those that the site gives of the video; without any, the transcript's topics."""
    if site_gives or not has_chapters(session):
        return list(site_gives)
    query = "SELECT start, title FROM chapter WHERE transcript_pk = :pk ORDER BY index"
    return [[row.start, row.title] for row in execute(session, query, pk=transcript_pk)]


def has_chapters(session: Transaction) -> bool:
    """Whether the schema knows those of transcripts: readers do with an older one."""
    return bool(execute(session, "SELECT to_regclass('chapter') IS NOT NULL").scalar_one())


def versions(session: Transaction, video_pk: int) -> list[Any]:
    """The rows of all transcripts of a video, the first version first."""
    return list(execute(session, VERSIONS, video=video_pk))


def described(row: Any, current: bool) -> dict[str, Any]:
    """A version as `--json` and the read API tell of it."""
    recognizer = row.models.get("recognizer") or {}
    return {
        "version": row.version,
        "current": current,
        "transcript": row.transcript_id,
        "made": row.created_at.isoformat(),
        "model": recognizer.get("name"),
        "language": row.language,
        "coverage": row.quality.get("coverage"),
        "no_speech": row.no_speech,
    }


def compared(session: Transaction, video: int | str, old: int | None, new: int | None) -> tuple[int, int]:
    """The two versions to compare: by default the current one and the one before; of one alone what was recognized and
    what was corrected. Raises UsageError for one without corrections.
    """
    row, current, _ = transcript_of(session, video)
    known = [each.version for each in versions(session, row.id)]
    new = new or (current.version if old != current.version else max(known))
    old = old or max((version for version in known if version < new), default=None)
    if old is None and current.corrected:
        old = new
    if old is None:
        raise UsageError(
            f"Video {row.video_id} has one version of its transcript, nothing to compare it with.",
            remedy="`channelscribe retranscribe` makes another.",
        )
    return old, new


def make_current(session: Session, video_pk: int, version: int) -> bool:
    """Move the video's pointer to a version that it has, in this transaction; False where it is there already.

    A run that holds the video goes on, and moves the pointer again when it publishes. Raises UnknownVideo.
    """
    from sqlmodel import select

    from channelscribe.catalogue.tables import TranscriptRow, VideoRow

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
    session.flush()
    from channelscribe.catalogue.corrections import replay  # which reads transcripts

    replay(session, [video_pk])
    voices.regroup_of(session, video_pk)
    return True


def _load(session: Transaction, row: Any, recognized: bool, *, named: bool) -> Transcript:
    segments = execute(session, RECOGNIZED if recognized else SEGMENTS, transcript=row.id).all()
    speakers = execute(session, "SELECT * FROM speaker WHERE transcript_pk = :transcript", transcript=row.id).all()
    if recognized:
        segments = [as_recognized(each) for each in segments]
        speakers = [as_recognized(each) for each in speakers if "added" not in (each.recognized or {})]
    found = Transcript(
        language=row.language,
        duration=row.duration,
        segments=[segment_of(segment, row.language) for segment in segments],
        turns=turns_of(speakers),
        models=row.models,
        no_speech=row.no_speech,
        quality=row.quality,
        stages=row.stages,
    )
    if named:
        found.name_speakers(voices.shown_names(session, [row.id]).get(row.id, {}))
    return found


def as_recognized(row: Any) -> Any:
    """A row as it was before corrections."""
    return row if row.recognized is None else SimpleNamespace(**{**row._asdict(), **row.recognized})


def segment_of(row: Any, main: str | None = None) -> Segment:
    """The segment of one row that was read back; `main`: the transcript's language, which a segment does not repeat."""
    speakers = row.word_speakers or [row.speaker] * len(row.word_texts)
    columns = (row.word_texts, row.word_starts, row.word_ends, row.word_scores, speakers, row.word_aligned)
    words = [Word(*fields) for fields in zip(*columns, strict=True)]
    language = row.language if main and row.language != main else None
    return Segment(row.start, row.end, row.text, row.speaker, row.avg_logprob, words, list(row.flags), language)


def named_row(row: Any, names: Mapping[str, str]) -> Any:
    """A row of a segment with the names of its speakers, by label, in place of their labels."""
    said = [names.get(label, label) for label in row.word_speakers or ()] or None
    return SimpleNamespace(**{**row._asdict(), "speaker": names.get(row.speaker, row.speaker), "word_speakers": said})


def turns_of(rows: Sequence[Any]) -> list[Turn]:
    """All speakers' turns, by time."""
    turns = [
        Turn(start, end, row.label) for row in rows for start, end in zip(row.turn_starts, row.turn_ends, strict=True)
    ]
    return sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))


READABLE = "current_transcript_pk IS NOT NULL AND state = 'published'"
"""SQL: nobody is making another transcript of the video."""


def with_transcripts(
    session: Session, channel: str | None = None, since: date | None = None, limit: int | None = None
) -> list[VideoRow]:
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
    from sqlmodel import col, select

    from channelscribe.catalogue.tables import VideoRow

    rows = {row.id: row for row in session.exec(select(VideoRow).where(col(VideoRow.id).in_(pks)))}
    return [rows[pk] for pk in pks]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a transcript must be to be chosen; None says nothing.

    `channel` is a source's title, id or URL; `model` the name of its recognizer in the registry; `older_than` the day
    before which it was made; `quality_below` the share of speech covered by words (0 to 1) that it does not reach.
    """

    channel: str | None = None
    model: str | None = None
    older_than: date | None = None
    quality_below: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A current transcript with its video. `seconds` of audio; `models` are the fingerprints that it was made with."""

    pk: int
    site: str
    video_id: str
    url: str
    title: str
    channel: str
    seconds: float
    version: int
    no_speech: bool
    models: dict[str, Any]


CHOOSE = """
SELECT video.id AS pk, video.site, video.video_id, video.url, video.title, transcript.duration AS seconds, version,
    no_speech, models,
    coalesce((SELECT source.title FROM source JOIN source_video ON source_pk = source.id
        WHERE video_pk = video.id ORDER BY source.id LIMIT 1), '') AS channel
FROM video JOIN transcript ON transcript.id = current_transcript_pk
WHERE taken_down_at IS NULL AND {conditions} ORDER BY video.published DESC NULLS LAST, video.id
"""
CONDITIONS = {
    "model": "models->'recognizer'->>'name' = :model",
    "older_than": "transcript.created_at < :older_than",
    "quality_below": "CAST(quality->>'coverage' AS double precision) < :quality_below",
}


def choose(session: Session, wanted: Wanted) -> list[Candidate]:
    """The newest videos first. Raises UnknownSource for a channel that no source is called."""
    given = {name: getattr(wanted, name) for name in CONDITIONS if getattr(wanted, name) is not None}
    conditions = [CONDITIONS[name] for name in given]
    if wanted.channel is not None:
        if not known_channel(session, wanted.channel):
            raise unknown_channel(session, wanted.channel)
        conditions.append(IN_CHANNEL)
        given["channel"] = clean_text(wanted.channel)
    statement = CHOOSE.format(conditions=" AND ".join(conditions) or "true")
    return [Candidate(**row) for row in execute(session, statement, **given).mappings()]


LANGUAGES = """
SELECT language, count(*) AS videos FROM video JOIN transcript ON transcript.id = current_transcript_pk
WHERE NOT no_speech AND video.id <> :video_pk AND video.id IN (SELECT others.video_pk FROM source_video AS others
    JOIN source_video AS mine USING (source_pk) WHERE mine.video_pk = :video_pk)
GROUP BY language ORDER BY videos DESC, language
"""
USUAL_VIDEOS, USUAL_SHARE = 3, 0.8  # transcripts of a source, and how many of them, that make a language its usual one


def usual_language(session: Session, video_pk: int) -> str | None:
    """The language of at least four fifths of what is published of a video's sources, where that is three or more."""
    found = [(row.language, row.videos) for row in execute(session, LANGUAGES, video_pk=video_pk)]
    total = sum(videos for _, videos in found)
    if total < USUAL_VIDEOS or found[0][1] < USUAL_SHARE * total:
        return None
    return str(found[0][0])


@dataclass(frozen=True, slots=True)
class CorpusVideo:
    """One video of a channel with its current transcript; `model` is the recognizer's name, `chapters` are [seconds,
    title].
    """

    transcript_pk: int
    site: str
    video: str
    title: str
    url: str
    published: date | None
    channel: str
    language: str
    transcript: str
    version: int
    model: str | None
    chapters: list[Any]


VIDEOS = """
SELECT transcript.id AS transcript_pk, video.site, video.video_id AS video, video.title, video.url, video.published,
    (SELECT coalesce(nullif(source.title, ''), source.source_id) FROM source_video JOIN source ON source.id = source_pk
        WHERE video_pk = video.id ORDER BY lower(:channel) IN (lower(source.title), lower(source.source_id),
            lower(source.site || ':' || source.source_id), lower(source.url)) DESC, source.id LIMIT 1) AS channel,
    transcript.language, transcript.transcript_id AS transcript, transcript.version,
    transcript.models #>> '{{recognizer,name}}' AS model, video.chapters
FROM video JOIN transcript ON transcript.id = video.current_transcript_pk
WHERE {conditions} ORDER BY video.published NULLS LAST, video.id
"""
SEGMENTS = """
SELECT index, start, "end", text, speaker, avg_logprob, word_texts, word_starts, word_ends, word_scores, word_aligned,
    word_speakers, language, flags
FROM segment WHERE transcript_pk = :transcript ORDER BY index
"""
RECOGNIZED = SEGMENTS.replace("flags", "flags, recognized")


def corpus(
    database: Database,
    channel: str,
    *,
    language: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Iterator[tuple[CorpusVideo, Any]]:
    """Each segment of a channel's current transcripts with its video, the oldest video first.

    All of it as it is when the first one is asked for, whatever is published or taken down meanwhile: one transaction
    that only reads. In memory are one transcript and the list of the channel's. Raises UnknownSource.
    """
    with database.snapshot() as connection:
        if not known_channel(connection, channel):
            raise unknown_channel(connection, channel)
        for found in _corpus_videos(connection, channel, language, since, until):
            video = replace(found, chapters=chapters_of(connection, found.chapters, found.transcript_pk))
            names = voices.shown_names(connection, [video.transcript_pk]).get(video.transcript_pk)
            for segment in _segments_of(connection, video):
                yield video, named_row(segment, names) if names else segment


def _corpus_videos(
    connection: Connection, channel: str, language: str | None, since: date | None, until: date | None
) -> list[CorpusVideo]:
    """The channel's videos that have a transcript, the oldest first."""
    filters: dict[str, Any] = {
        "transcript.language = :language": language and clean_text(language).lower(),
        "video.published >= :since": since,
        "video.published <= :until": until,
    }
    given = {condition: value for condition, value in filters.items() if value is not None}
    values = {condition.rpartition(":")[2]: value for condition, value in given.items()}
    query = VIDEOS.format(conditions=" AND ".join([IN_CHANNEL, *given]))
    rows = execute(connection, query, channel=clean_text(channel), **values)
    return [CorpusVideo(**row) for row in rows.mappings()]


def _segments_of(connection: Connection, video: CorpusVideo) -> Iterator[Any]:
    """Rows of SEGMENTS, a thousand at a time from the server."""
    streaming = connection.execution_options(yield_per=1000)
    yield from execute(streaming, SEGMENTS, transcript=video.transcript_pk)
