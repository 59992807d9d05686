"""A channel as one file, one row a segment: for people who build corpora. docs/library.md tells the columns.

Needs a catalogue, and pyarrow (extra `parquet`) for Parquet. Memory is that of one transcript and, for Parquet, of one
group of ROWS_A_GROUP rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from channelscribe.catalogue import transcripts
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.transcripts import CorpusVideo
from channelscribe.errors import UsageError

__all__ = ["ROWS_A_GROUP", "Exported", "export_channel", "json_lines"]

ROWS_A_GROUP = 10_000


@dataclass(slots=True)
class Exported:
    """What was written."""

    videos: int = 0
    segments: int = 0


class Row(NamedTuple):
    """`segment` is a row of the catalogue with its words as arrays."""

    video: CorpusVideo
    segment: Any


def export_channel(
    catalogue: Database,
    channel: str,
    name: str,
    file: BinaryIO,
    *,
    language: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Exported:
    """Write the current transcripts of a channel in the format `name`; the oldest video first.

    Raises UnknownSource, and UsageError where pyarrow is needed and missing.
    """
    exported = Exported()
    rows = transcripts.corpus(catalogue, channel, language=language, since=since, until=until)
    _WRITERS[name](_counted(rows, exported), file)
    return exported


def _counted(rows: Iterator[tuple[Any, Any]], exported: Exported) -> Iterator[Row]:
    last = None
    for video, segment in rows:
        exported.segments += 1
        if video is not last:
            exported.videos, last = exported.videos + 1, video
        yield Row(video, segment)


def _plain(row: Row) -> dict[str, Any]:
    """The row as values that Arrow and JSON know; a word's time in seconds of the original video."""
    video, segment = row
    return {
        "site": video.site,
        "video": video.video,
        "title": video.title,
        "url": video.url,
        "published": video.published,
        "channel": video.channel,
        "language": video.language,
        "segment": segment.index,
        "start": segment.start,
        "end": segment.end,
        "speaker": segment.speaker,
        "text": segment.text,
        "words": list(_words(segment)),
        "avg_logprob": segment.avg_logprob,
        "flags": list(segment.flags),
        "transcript": video.transcript,
        "version": video.version,
        "model": video.model,
        "chapter": _chapter(video, segment.start),
    }


def _chapter(video: CorpusVideo, start: float) -> str | None:
    """The title of the chapter in which a segment begins."""
    begun = [title for since, title in video.chapters if since <= start]
    return begun[-1] or None if begun else None


def _words(segment: Any) -> Iterator[dict[str, Any]]:
    speakers = segment.word_speakers or [segment.speaker] * len(segment.word_texts)
    columns = (segment.word_texts, segment.word_starts, segment.word_ends, segment.word_scores, speakers)
    for text, start, end, score, speaker, aligned in zip(*columns, segment.word_aligned, strict=True):
        yield {"word": text, "start": start, "end": end, "score": score, "speaker": speaker, "aligned": aligned}


def _as_line(row: Row) -> bytes:
    """JSON Lines (jsonlines.org): UTF-8, `\\n` after each object; days are as 2026-01-31."""
    return json.dumps(_plain(row), ensure_ascii=False, default=str).encode() + b"\n"


def json_lines(catalogue: Database, channel: str, **filters: Any) -> Generator[bytes, None, None]:
    """The lines of a channel one by one, with the filters of `export_channel`. Raises UnknownSource at the first."""
    for video, segment in transcripts.corpus(catalogue, channel, **filters):
        yield _as_line(Row(video, segment))


def _write_jsonl(rows: Iterator[Row], file: BinaryIO) -> None:
    for row in rows:
        file.write(_as_line(row))


def _write_parquet(rows: Iterator[Row], file: BinaryIO) -> None:
    """The same rows with fixed types. Raises UsageError when pyarrow is not installed."""
    try:
        pyarrow: Any = import_module("pyarrow")
        writers: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed.",
            remedy="Install channelscribe[parquet], or take --format jsonl.",
        ) from None
    schema = _schema(pyarrow)
    with writers.ParquetWriter(file, schema, compression="zstd") as writer:
        while (group := _group(pyarrow, schema, rows)).num_rows:
            writer.write_table(group)


def _group(pa: Any, schema: Any, rows: Iterator[Row]) -> Any:
    """The next rows as Arrow's columns, which take a tenth of the space of Python's objects."""
    return pa.Table.from_pylist([_plain(row) for row in islice(rows, ROWS_A_GROUP)], schema=schema)


def _schema(pa: Any) -> Any:
    word = {
        "word": pa.string(), "start": pa.float64(), "end": pa.float64(), "score": pa.float64(),
        "speaker": pa.string(), "aligned": pa.bool_(),
    }  # fmt: skip
    column = {
        "site": pa.string(), "video": pa.string(), "title": pa.string(), "url": pa.string(),
        "published": pa.date32(), "channel": pa.string(), "language": pa.string(), "segment": pa.int32(),
        "start": pa.float64(), "end": pa.float64(), "speaker": pa.string(), "text": pa.string(),
        "words": pa.list_(pa.struct(list(word.items()))), "avg_logprob": pa.float64(), "flags": pa.list_(pa.string()),
        "transcript": pa.string(), "version": pa.int32(), "model": pa.string(),
        "chapter": pa.string(),
    }  # fmt: skip
    return pa.schema(list(column.items()))


_WRITERS: Mapping[str, Callable[[Iterator[Row], BinaryIO], None]] = {"jsonl": _write_jsonl, "parquet": _write_parquet}
