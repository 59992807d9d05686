"""A transcript and its reading as rows for COPY, and rows as a transcript again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from channelscribe.transcript import Segment, Transcript, Turn, Word

__all__ = [
    "COLUMNS",
    "entity_rows",
    "segment_of",
    "segment_rows",
    "sentence_rows",
    "speaker_rows",
    "turns_of",
]

COLUMNS: dict[str, tuple[str, ...]] = {
    "segment": (
        "transcript_pk", "index", "language", "start", "end", "text", "speaker", "avg_logprob", "word_texts",
        "word_starts", "word_ends", "word_scores", "word_aligned", "word_speakers", "flags",
    ),
    "speaker": ("transcript_pk", "label", "seconds", "turn_starts", "turn_ends"),
    "sentence": ("transcript_pk", "index", "text", "start_char", "end_char", "start", "end", "speaker"),
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
            transcript.language,
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


def segment_of(row: Any) -> Segment:
    """The segment of one row that was read back."""
    speakers = row.word_speakers or [row.speaker] * len(row.word_texts)
    columns = (row.word_texts, row.word_starts, row.word_ends, row.word_scores, speakers, row.word_aligned)
    words = [Word(*fields) for fields in zip(*columns, strict=True)]
    return Segment(row.start, row.end, row.text, row.speaker, row.avg_logprob, words, list(row.flags))


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


def turns_of(rows: Sequence[Any]) -> list[Turn]:
    """All speakers' turns, by time."""
    turns = [
        Turn(start, end, row.label) for row in rows for start, end in zip(row.turn_starts, row.turn_ends, strict=True)
    ]
    return sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))


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
