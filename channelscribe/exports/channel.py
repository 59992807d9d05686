"""A channel as one file, one row a segment: for people who build corpora. docs/library.md tells the columns.

Needs a catalogue, and pyarrow for Parquet. Memory is that of one transcript and, for Parquet, of one row group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, BinaryIO

from channelscribe.catalogue import Catalogue
from channelscribe.exports import jsonl, parquet
from channelscribe.exports.rows import Row

__all__ = ["CORPUS_FORMATS", "Exported", "export_channel"]

CORPUS_FORMATS: Mapping[str, Callable[[Iterator[Row], BinaryIO], None]] = {
    "jsonl": jsonl.write,
    "parquet": parquet.write,
}


@dataclass(slots=True)
class Exported:
    """What was written."""

    videos: int = 0
    segments: int = 0


def export_channel(
    catalogue: Catalogue,
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
    rows = catalogue.corpus(channel, language=language, since=since, until=until)
    CORPUS_FORMATS[name](_counted(rows, exported), file)
    return exported


def _counted(rows: Iterator[tuple[Any, Any]], exported: Exported) -> Iterator[Row]:
    last = None
    for video, segment in rows:
        exported.segments += 1
        if video is not last:
            exported.videos, last = exported.videos + 1, video
        yield Row(video, segment)
