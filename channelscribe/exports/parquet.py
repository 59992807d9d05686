"""Apache Parquet: the same rows with fixed types, in row groups of ROWS_A_GROUP. Needs pyarrow (extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO

from channelscribe.errors import UsageError
from channelscribe.exports.rows import Row, plain

__all__ = ["write"]

ROWS_A_GROUP = 10_000


def write(rows: Iterator[Row], file: BinaryIO) -> None:
    """Write all rows. Raises UsageError when pyarrow is not installed."""
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
    return pa.Table.from_pylist([plain(row) for row in islice(rows, ROWS_A_GROUP)], schema=schema)


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
    }  # fmt: skip
    return pa.schema(list(column.items()))
