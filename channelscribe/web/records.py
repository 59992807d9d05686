"""What the API and the pages ask the catalogue for, as plain values. Functions take a transaction that only reads.

A video is named by its site and the site's id; our own numbers never leave this module but inside of cursors.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import namedtuple_row

from channelscribe.catalogue import stats
from channelscribe.catalogue.connection import clean_text, execute
from channelscribe.catalogue.listings import IN_CHANNEL, known_channel, unknown_channel
from channelscribe.catalogue.search import AGE, url_at
from channelscribe.catalogue.states import State
from channelscribe.catalogue.transcripts import SEGMENTS, chapters_of, named_row
from channelscribe.catalogue.voices import shown_names
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.files import content_key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from channelscribe.catalogue.connection import Transaction

__all__ = [
    "Asked",
    "TranscriptVersion",
    "activity",
    "archive",
    "at_second",
    "entities_of",
    "places_of",
    "sources",
    "speakers_of",
    "spoken",
    "timing",
    "transcript",
    "transcript_json",
    "version_of",
    "video",
    "videos",
    "videos_now",
]

LARGEST = 2**63 - 1
SOURCES = """
SELECT source.id, coalesce(nullif(source.title, ''), source.url) AS title, source.url, source.kind, source.site,
    count(link.video_pk) AS videos, count(video.current_transcript_pk) AS transcripts,
    coalesce(sum(transcript.duration), 0) / 3600 AS hours, max(video.published) AS newest,
    count(*) FILTER (WHERE video.state = 'waiting') AS waiting,
    count(*) FILTER (WHERE video.state = 'retrying') AS retrying,
    source.last_listed_at AS listed_at
FROM source LEFT JOIN source_video AS link ON link.source_pk = source.id AND link.gone_at IS NULL
LEFT JOIN video ON video.id = link.video_pk LEFT JOIN transcript ON transcript.id = video.current_transcript_pk
WHERE source.source_id <> '' OR link.video_pk IS NOT NULL
GROUP BY source.id ORDER BY lower(source.title), source.url
"""
CHANNEL = """(SELECT coalesce(nullif(source.title, ''), source.url) FROM source JOIN source_video
    ON source_pk = source.id WHERE video_pk = video.id ORDER BY source.id LIMIT 1)"""
FIELDS = f"""video.id AS pk, video.site, video.video_id AS video, video.title, video.url, {CHANNEL} AS channel,
    video.published, coalesce(transcript.duration, video.duration) AS duration, video.state, video.reason,
    video.message, video.remedy, video.next_check_at AS retry_at, transcript.language, transcript.version"""
VIDEOS = f"""
SELECT {FIELDS}, {AGE} AS age FROM video LEFT JOIN transcript ON transcript.id = video.current_transcript_pk
WHERE taken_down_at IS NULL AND {{conditions}} ORDER BY age, video.id LIMIT :limit
"""  # noqa: S608 - constants of this module and its neighbours
VIDEO = f"""
SELECT {FIELDS}, video.description, video.chapters, video.current_transcript_pk
FROM video LEFT JOIN transcript ON transcript.id = video.current_transcript_pk
WHERE video.site = :site AND video.video_id = :video AND taken_down_at IS NULL
"""  # noqa: S608
NOW = """
SELECT id AS pk, site, video_id AS video, title, state, step, step_fraction, reason, message, remedy,
    coalesce(lease_until >= now(), false) AS in_work
FROM video WHERE (lease_owner IS NOT NULL AND lease_until >= now()) OR id = ANY(:seen) ORDER BY lease_until, id
"""
# A schema from before corrections has no such column.
VERSION = """
SELECT id AS pk, transcript_id AS transcript, version, language, duration, no_speech, models, quality, reading_id,
    to_jsonb(transcript) ->> 'corrected' AS corrected, created_at AS made
FROM transcript WHERE video_pk = :video AND {which}
"""
TEXTS = """SELECT index, start, "end", text, speaker, flags FROM segment WHERE transcript_pk = :transcript
ORDER BY index"""
SPOKEN = """SELECT index, start, "end", text, speaker, flags, word_texts, word_starts, word_ends FROM segment
WHERE transcript_pk = %(transcript)s ORDER BY index"""
SPEAKERS = """SELECT label, seconds, turn_starts, turn_ends FROM speaker WHERE transcript_pk = :transcript
ORDER BY seconds DESC, label"""
ENTITIES = """
SELECT mode() WITHIN GROUP (ORDER BY text) AS name, label, count(*) AS count,
    (array_agg(start ORDER BY start) FILTER (WHERE start IS NOT NULL))[1:20] AS starts
FROM entity WHERE transcript_pk = :transcript GROUP BY key, label ORDER BY count DESC, name LIMIT :limit
"""
ARCHIVE = "SELECT archive_key, seconds FROM audio WHERE video_pk = :video ORDER BY id DESC LIMIT 1"
FILTERS = {
    "source": IN_CHANNEL,
    "state": "video.state = :state",
    "reason": "video.reason = :reason",
    "since": "video.published >= :since",
    "until": "video.published <= :until",
    "language": "transcript.language = :language",
    "text": "video.title ILIKE :text",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which videos. `source`: title, id or URL; `text`: what is in the title; days are of publication."""

    source: str | None = None
    state: str | None = None
    reason: str | None = None
    since: date | None = None
    until: date | None = None
    language: str | None = None
    text: str | None = None

    def given(self) -> dict[str, Any]:
        values = {name: value for name, value in asdict(self).items() if value not in (None, "")}
        return {name: clean_text(value) if isinstance(value, str) else value for name, value in values.items()}

    @property
    def fingerprint(self) -> str:
        return content_key("videos", *(f"{name}={value}" for name, value in sorted(self.given().items())))[:8]


def sources(session: Transaction) -> list[dict[str, Any]]:
    """All sources by title, counted; addresses are those that may be shown."""
    return [dict(row) for row in execute(session, SOURCES).mappings()]


def videos(
    session: Transaction, asked: Asked, limit: int = 50, after: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """The newest first, and the place of the next page. Raises UnknownSource; UsageError for a place of others."""
    given = asked.given()
    if asked.state is not None and asked.state not in set(State):
        raise UsageError(f"There is no state {asked.state[:40]!r}.", remedy=f"Known: {', '.join(State)}.")
    if asked.source and not known_channel(session, asked.source):
        raise unknown_channel(session, asked.source)
    conditions = ["true", *(FILTERS[name] for name in given)]
    if "source" in given:
        given["channel"] = given.pop("source")
    if "text" in given:
        wanted = str(given["text"]).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        given["text"] = f"%{wanted}%"
    if after is not None:
        given["age"], given["last"] = _place(after, asked.fingerprint)
        conditions.append(f"({AGE}, video.id) > (CAST(:age AS integer), :last)")
    statement = VIDEOS.format(conditions=" AND ".join(conditions))
    rows = execute(session, statement, limit=limit + 1, **given).mappings().all()
    last = rows[limit - 1] if len(rows) > limit else None
    more = None if last is None else _as_place(asked.fingerprint, last["age"], last["pk"])
    return [_public(row) for row in rows[:limit]], more


def _public(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("pk", "age", "current_transcript_pk")}


def _as_place(question: str, age: int, pk: int) -> str:
    text = json.dumps([question, age, pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(text: str, question: str) -> tuple[int, int]:
    try:
        asked, age, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        age, pk = int(age), int(pk)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise UsageError("This is no place in a list.", remedy="Take `next` of an answer.") from None
    if asked != question or abs(age) >= 2**31 or not 0 <= pk <= LARGEST:
        raise UsageError("This place is of another list.", remedy="Give the same filters with it.")
    return age, pk


def video(session: Transaction, site: str, video_id: str) -> dict[str, Any]:
    """One video, with `pk` for the functions below. Raises UnknownVideo."""
    asked = {"site": clean_text(site), "video": clean_text(video_id)}
    row = execute(session, VIDEO, **asked).mappings().one_or_none()
    if row is None:
        raise UnknownVideo(f"There is no video {site[:40]}:{video_id[:100]}.", remedy="`videos` lists what there is.")
    found = dict(row)
    if found["current_transcript_pk"] is not None:
        found["chapters"] = chapters_of(session, found["chapters"], found["current_transcript_pk"])
    found["chapters"] = [{"start": start, "title": title} for start, title in _pairs(found["chapters"])]
    return found


def _pairs(chapters: Sequence[Any]) -> list[tuple[float, str]]:
    return [(float(each[0]), str(each[1])) for each in chapters if isinstance(each, list) and len(each) >= 2]


@dataclass(frozen=True, slots=True)
class TranscriptVersion:
    """A version's row: everything of it but what was said."""

    pk: int
    transcript: str
    version: int
    language: str
    duration: float
    no_speech: bool
    models: dict[str, Any]
    quality: dict[str, Any]
    reading_id: str | None
    corrected: str | None
    made: datetime
    names: dict[str, str]
    """What people called its speakers, by label."""

    @property
    def tag(self) -> str:
        """What changes with what is shown of it."""
        named = content_key(*(f"{label}={name}" for label, name in sorted(self.names.items())))[:12]
        return f"{self.transcript[:32]}{self.corrected or ''}{named if self.names else ''}"

    def called(self, label: str | None) -> str | None:
        """What a speaker is shown as."""
        return self.names.get(label, label) if label is not None else None

    @property
    def model(self) -> str | None:
        name = (self.models.get("recognizer") or {}).get("name")
        return None if name is None else str(name)


def version_of(session: Transaction, found: dict[str, Any], version: int | None = None) -> TranscriptVersion:
    """The current version, or the one asked for. Raises UnknownVideo where there is none."""
    which = "version = :version" if version is not None else "id = :current"
    values = {"version": version} if version is not None else {"current": found["current_transcript_pk"]}
    row = execute(session, VERSION.format(which=which), video=found["pk"], **values).mappings().one_or_none()
    if row is None:
        what = "transcript" if version is None else f"version {version} of a transcript"
        raise UnknownVideo(f"{found['site']}:{found['video']} has no {what}; its state is {found['state']}.")
    return TranscriptVersion(**row, names=shown_names(session, [row["pk"]]).get(row["pk"], {}))


def transcript(session: Transaction, version: TranscriptVersion, *, words: bool = True) -> list[Any]:
    """Rows of segments with their words as arrays; without them in half the time."""
    return list(execute(session, SEGMENTS if words else TEXTS, transcript=version.pk).all())


def spoken(connection: Connection, version: TranscriptVersion) -> list[Any]:
    """Rows of segments with the times of their words and no more; as the database has them, which is read far sooner
    than text: arrays of numbers cost most of what a transcript takes.
    """
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True, row_factory=namedtuple_row) as cursor:
        return list(cursor.execute(SPOKEN, {"transcript": version.pk}))


def speakers_of(session: Transaction, version: TranscriptVersion) -> list[dict[str, Any]]:
    """Label, seconds and turns ([start, end] in seconds), who spoke most first."""
    return [
        {
            "label": version.called(row.label),
            "seconds": row.seconds,
            "turns": [list(turn) for turn in zip(row.turn_starts, row.turn_ends, strict=True)],
        }
        for row in execute(session, SPEAKERS, transcript=version.pk)
    ]


def entities_of(session: Transaction, version: TranscriptVersion, limit: int = 200) -> list[dict[str, Any]]:
    """Names in one transcript, with the seconds of their first mentions."""
    rows = execute(session, ENTITIES, transcript=version.pk, limit=limit).mappings()
    return [{**row, "starts": list(row["starts"] or [])} for row in rows]


def transcript_json(
    found: dict[str, Any],
    version: TranscriptVersion,
    segments: Sequence[Any],
    speakers: list[dict[str, Any]],
    words: bool,
) -> dict[str, Any]:
    """The transcript as the API gives it; what stays the same as long as the version does."""
    return {
        "video": found["video"],
        "site": found["site"],
        "transcript": version.transcript,
        "version": version.version,
        "language": version.language,
        "duration": version.duration,
        "no_speech": version.no_speech,
        "model": version.model,
        "made": version.made,
        "quality": version.quality,
        "speakers": speakers,
        "segments": [_segment(named_row(row, version.names) if version.names else row, words) for row in segments],
    }


def _segment(row: Any, words: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "start": row.start,
        "end": row.end,
        "speaker": row.speaker,
        "text": row.text,
        "avg_logprob": row.avg_logprob,
        "flags": row.flags,
    }
    if words:
        speakers = row.word_speakers or [row.speaker] * len(row.word_texts)
        columns = (row.word_texts, row.word_starts, row.word_ends, row.word_scores, speakers, row.word_aligned)
        names = ("word", "start", "end", "score", "speaker", "aligned")
        told["words"] = [dict(zip(names, word, strict=True)) for word in zip(*columns, strict=True)]
    return told


def timing(segments: Sequence[Any]) -> list[list[int]]:
    """For each segment its words as [gap, length, wait, duration, …], four numbers a word.

    `gap` and `length` count UTF-16 units, as JavaScript does, within the segment's stripped text: from the end of the
    word before, and of the word. `wait` and `duration` are milliseconds: from the start of the word before (for the
    first one from 0), and of the word. Small numbers: forty thousand words are a third of a megabyte.
    """
    made = []
    for row in segments:
        text = row.text.strip()
        plain = text.isascii()
        place, last, numbers = 0, 0, list[int]()
        for word, start, end in zip(row.word_texts, row.word_starts, row.word_ends, strict=True):
            word = word.strip()
            at = text.find(word, place) if word else -1
            if at < 0:
                continue
            length, begins, lasts = len(word), int(start * 1000 + 0.5), int((end - start) * 1000 + 0.5)
            if plain:
                numbers += (at - place, length, begins - last, lasts if lasts > 0 else 0)
            else:
                numbers += (_units(text[place:at]), _units(word), begins - last, lasts if lasts > 0 else 0)
            place, last = at + length, begins
        made.append(numbers)
    return made


def _units(text: str) -> int:
    return len(text) + sum(1 for character in text if ord(character) > 0xFFFF)


def archive(session: Transaction, found: dict[str, Any]) -> str | None:
    """The key of the archived audio, whether or not the store still has it."""
    row = execute(session, ARCHIVE, video=found["pk"]).one_or_none()
    return None if row is None or not row.archive_key else str(row.archive_key)


def activity(session: Transaction) -> dict[str, Any]:
    """As `channelscribe status --json`, with the site and id of what runs."""
    told = asdict(stats.status(session))
    told["running"] = [
        {name: value for name, value in each.items() if name not in ("owner", "video_pk")} for each in told["running"]
    ]
    for each in told["running"]:
        each["video"] = each.pop("video_id")
    told["blocks"] = [{name: each[name] for name in each if name != "egress"} for each in told["blocks"]]
    return told


def videos_now(session: Transaction, seen: Sequence[int]) -> list[dict[str, Any]]:
    """What is in work, and what became of the videos `seen` (our numbers)."""
    return [_public(row) for row in execute(session, NOW, seen=list(seen)).mappings()]


def at_second(found: dict[str, Any], second: float) -> str:
    """The video's page on its site."""
    return url_at(found["site"], found["url"], second)


def places_of(session: Transaction, named: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[str | None, bool]]:
    """Of each video (site, id) the title of the source that it was first listed in, and whether audio was archived."""
    query = f"""SELECT video.site, video.video_id, {CHANNEL} AS channel,
        EXISTS (SELECT FROM audio WHERE audio.video_pk = video.id AND archive_key <> '') AS audio FROM video
        JOIN unnest(CAST(:sites AS text[]), CAST(:ids AS text[])) AS wanted (site, id)
        ON (video.site, video.video_id) = (wanted.site, wanted.id)"""  # noqa: S608
    rows = execute(session, query, sites=[site for site, _ in named], ids=[video for _, video in named])
    return {(row.site, row.video_id): (row.channel, row.audio) for row in rows}
