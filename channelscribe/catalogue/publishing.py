r"""Publishes a transcript: its rows, the video's current pointer and its state, in one transaction.

Files are in the store before this is called; a killed process leaves either all of it or nothing.

Rows go as the text that PostgreSQL's COPY reads: several times as fast as psycopg's adaptation of each element. The
format is that of the PostgreSQL manual, "COPY", text format, and "Array Input and Output Syntax": columns are parted
by tabs, NULL is `\N`, an array is `{"a","b"}` or `{1,2}`; a backslash comes before what would mean something. What
PostgreSQL cannot hold is left out (NUL) or becomes `?` (lone surrogates).
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import orjson
from psycopg import sql
from sqlalchemy import func
from sqlmodel import Session, col, select

from channelscribe.catalogue import corrections, meaning, voices, watches
from channelscribe.catalogue.connection import clean_json, driver_connection, execute
from channelscribe.catalogue.leases import clear_lease, held
from channelscribe.catalogue.references import note_checkpoints
from channelscribe.catalogue.states import State
from channelscribe.catalogue.tables import TranscriptRow
from channelscribe.catalogue.videos import advance
from channelscribe.catalogue.words import note_words
from channelscribe.errors import TextError
from channelscribe.transcript import Transcript, Turn

__all__ = ["COLUMNS", "copy_blocks", "entity_rows", "publish", "segment_rows", "sentence_rows", "speaker_rows"]


def publish(
    session: Session,
    video_pk: int,
    owner: str,
    transcript_id: str,
    transcript: Transcript,
    reading: dict[str, Any],
    files: dict[str, str],
    models: dict[str, Any] | None = None,
    *,
    reading_key: str | None = None,
    checkpoint_keys: Sequence[str] = (),
    read_with: str | None = None,
    heard: Mapping[str, Any] | None = None,
    embedded: meaning.Embedded | None = None,
) -> int:
    """Make `transcript` the video's current one and give the lease back; returns its version, from 1.

    `reading` is a reading's `to_dict` and `reading_key` its file, `files` maps formats to store keys, `models` adds
    to the transcript's, `checkpoint_keys` are what it was made from. A `transcript_id` that the video has already
    keeps its rows and version, and becomes current again; another reading of it takes the place of the one before.
    Transcript and reading are as recognized: what people corrected in the video is corrected in the rows here. A
    reading of the corrected text says with which corrections it was made (`read_with`, the row's `corrected`). `heard`
    are its speakers' voices (`channelscribe.speech.voices.hear`), which are put together with the source's others,
    `embedded` the passages of the same text, for search by meaning.
    Raises LeaseLost, and TextError where a reading was made with other corrections than there are now.
    """
    video = held(session, video_pk, owner)
    row = session.exec(
        select(TranscriptRow).where(TranscriptRow.video_pk == video_pk, TranscriptRow.transcript_id == transcript_id)
    ).one_or_none()
    new = row is None
    if row is None:
        row = _new_version(session, video_pk, transcript_id, transcript, files, {**transcript.models, **(models or {})})
        _copy(session, "segment", segment_rows(row.id, transcript))
        _copy(session, "speaker", speaker_rows(row.id, transcript))
        note_words(session, row.id)
    identity = _identity(reading, reading_key)
    if read_with is not None and row.reading_id != identity:
        session.refresh(row)
        if row.corrected != read_with:
            raise TextError("its transcript was corrected while it was read.", remedy="Read it again.")
        reading = corrections.as_if_recognized(session, row.id, reading)
    _replace_reading(session, row, reading, transcript, identity)
    row.reading_key = reading_key
    session.add(row)
    note_checkpoints(session, video_pk, checkpoint_keys)
    video.current_transcript_pk = row.id
    advance(video, State.PUBLISHED)
    clear_lease(video)
    session.add(video)
    session.flush()
    corrections.replay(session, [video_pk])
    if heard is not None:
        voices.keep_vectors(session, row.id, heard)
    voices.regroup_of(session, video_pk)
    if embedded is not None:
        meaning.put(session, video_pk, row.id, embedded, identity, read_with)
    if new:
        watches.check(session, video_pk, row.id, transcript_id, row.version, row.language)
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
    for table in ("sentence", "entity", "chapter"):
        execute(session, f"DELETE FROM {table} WHERE transcript_pk = :pk", pk=row.id)  # noqa: S608 - names of ours
    _copy(session, "sentence", sentence_rows(row.id, reading))
    _copy(session, "entity", entity_rows(row.id, reading, transcript))
    titled = (each for each in reading.get("topics", ()) if each.get("title"))
    _copy(session, "chapter", ((row.id, n, each["start"], each["title"]) for n, each in enumerate(titled)))
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
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, COLUMNS[table]))
    )
    with driver_connection(session).cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy_blocks(records):
            copy.write(block)


COLUMNS: dict[str, tuple[str, ...]] = {
    "segment": (
        "transcript_pk", "index", "language", "start", "end", "text", "speaker", "avg_logprob", "word_texts",
        "word_starts", "word_ends", "word_scores", "word_aligned", "word_speakers", "flags",
    ),
    "speaker": ("transcript_pk", "label", "seconds", "turn_starts", "turn_ends"),
    "sentence": ("transcript_pk", "index", "text", "start_char", "end_char", "start", "end", "speaker"),
    "chapter": ("transcript_pk", "index", "start", "title"),
    "entity": (
        "transcript_pk", "index", "text", "key", "label", "segment", "start_char", "end_char",
        "start", "end", "speaker",
    ),
}  # fmt: skip
"""Columns of each table in the order of the rows below."""

Row = tuple[Any, ...]

_WORD_FIELDS = attrgetter("text", "start", "end", "score", "aligned", "speaker")


def segment_rows(transcript_pk: int, transcript: Transcript) -> Iterator[Row]:
    """One row a segment, with its words as arrays."""
    for index, segment in enumerate(transcript.segments):
        columns = map(list, zip(*map(_WORD_FIELDS, segment.words), strict=True))
        texts, starts, ends, scores, aligned, speakers = columns if segment.words else ([] for _ in range(6))
        yield (
            transcript_pk,
            index,
            segment.language or transcript.language,
            segment.start,
            segment.end,
            segment.text,
            segment.speaker,
            segment.avg_logprob,
            texts,
            starts,
            ends,
            scores,
            aligned,
            None if set(speakers) <= {segment.speaker} else speakers,
            segment.flags,
        )


def speaker_rows(transcript_pk: int, transcript: Transcript) -> Iterator[Row]:
    """One row a speaker, with its turns as arrays."""
    turns_of_each: dict[str, list[Turn]] = {label: [] for label in transcript.speakers}
    for turn in transcript.turns:
        turns_of_each[turn.speaker].append(turn)
    for label, turns in turns_of_each.items():
        seconds = sum(turn.end - turn.start for turn in turns)
        yield (
            transcript_pk,
            label,
            float(seconds),
            [float(turn.start) for turn in turns],
            [float(turn.end) for turn in turns],
        )


def sentence_rows(transcript_pk: int, reading: dict[str, Any]) -> Iterator[Row]:
    """One row a sentence of the reading."""
    for index, item in enumerate(reading.get("sentences", [])):
        yield (
            transcript_pk,
            index,
            item["text"],
            item["start_char"],
            item["end_char"],
            item.get("start"),
            item.get("end"),
            item.get("speaker"),
        )


def entity_rows(transcript_pk: int, reading: dict[str, Any], transcript: Transcript) -> Iterator[Row]:
    """One row an entity of the reading, with the index of the segment that its first character is in."""
    starts, indexes = _segment_starts(transcript)
    for index, item in enumerate(reading.get("entities", [])):
        place = bisect_right(starts, item["start_char"]) - 1
        yield (
            transcript_pk,
            index,
            item["text"],
            item["key"],
            item["label"],
            indexes[place] if place >= 0 else None,
            item["start_char"],
            item["end_char"],
            item.get("start"),
            item.get("end"),
            item.get("speaker"),
        )


def _segment_starts(transcript: Transcript) -> tuple[list[int], list[int]]:
    """First characters in `transcript.text` of the segments that have text, and those segments' indexes."""
    starts, indexes, position = [], [], 0
    for index, segment in enumerate(transcript.segments):
        text = segment.text.strip()
        if text:
            starts.append(position)
            indexes.append(index)
            position += len(text) + 1
    return starts, indexes


BLOCK_CHARACTERS = 1 << 13
"""Small ones: the server takes a block in while the next one is rendered."""
_MEANS_SOMETHING = re.compile("[\\\\\t\n\r\x08\x0b\x0c\x00]")
_ESCAPES = {
    "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x08": "\\b", "\x0b": "\\v", "\x0c": "\\f", "\x00": "",
}  # fmt: skip
_FLAGS = {True: "t", False: "f", None: "NULL"}


def copy_blocks(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """The rows as blocks of lines. Values are None, texts, numbers, booleans, and lists of one kind of these."""
    lines: list[str] = []
    size = 0
    for row in rows:
        line = "\t".join([_RENDER.get(type(value), _odd)(value) for value in row])
        lines.append(line)
        size += len(line)
        if size > BLOCK_CHARACTERS:
            yield _block(lines)
            lines, size = [], 0
    if lines:
        yield _block(lines)


def _block(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _odd(value: Any) -> str:
    return float.__repr__(value) if isinstance(value, float) else str(value)  # numpy's floats have a repr of their own


def _text(value: str) -> str:
    if value.isprintable() and "\\" not in value:  # faster than to look for each character that means something
        return value
    return _MEANS_SOMETHING.sub(lambda found: _ESCAPES[found[0]], value)


def _array(values: list[Any]) -> str:
    """Mostly a JSON list is the array but for its brackets; where it is not, each element is looked at."""
    if values and type(values[0]) is bool:
        return "{" + ",".join([_FLAGS[value] for value in values]) + "}"  # less to send and to read than true, false
    try:
        rendered = orjson.dumps(values)
    except TypeError:  # a number that JSON has no room for, a lone surrogate
        rendered = b"\\"
    # A backslash is where something needed care. JSON has `null` for infinities, too.
    if b"\\" in rendered or (b"null" in rendered and rendered.count(b"null") != values.count(None)):
        return "{" + ",".join(["NULL" if value is None else _element(value) for value in values]) + "}"
    return f"{{{rendered[1:-1].decode()}}}"


def _element(value: Any) -> str:
    if not isinstance(value, str):
        return _RENDER.get(type(value), _odd)(value)
    # Twice: the array's own rules first, then COPY's.
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_text(quoted)}"'


_RENDER: dict[type, Callable[[Any], str]] = {
    str: _text,
    int: int.__repr__,
    float: float.__repr__,
    bool: _FLAGS.__getitem__,
    list: _array,
    type(None): lambda _: "\\N",
}
