"""Reads a whole channel, transcript by transcript, for exports: what it holds at one moment, with little memory.

The transaction is read-only and sees the database as it was when it began, whatever is published or taken down
meanwhile. At any time one transcript is in memory, and the list of the channel's transcripts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from channelscribe.catalogue.channels import IN_CHANNEL
from channelscribe.catalogue.cleaning import clean_text
from channelscribe.catalogue.connection import execute

__all__ = ["SEGMENTS", "CorpusVideo", "corpus_videos", "segments_of"]


@dataclass(frozen=True, slots=True)
class CorpusVideo:
    """One video of a channel with its current transcript; `model` is the recognizer's name."""

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


VIDEOS = """
SELECT transcript.id AS transcript_pk, video.site, video.video_id AS video, video.title, video.url, video.published,
    (SELECT coalesce(nullif(source.title, ''), source.source_id) FROM source_video JOIN source ON source.id = source_pk
        WHERE video_pk = video.id ORDER BY lower(:channel) IN (lower(source.title), lower(source.source_id),
            lower(source.site || ':' || source.source_id), lower(source.url)) DESC, source.id LIMIT 1) AS channel,
    transcript.language, transcript.transcript_id AS transcript, transcript.version,
    transcript.models #>> '{{recognizer,name}}' AS model
FROM video JOIN transcript ON transcript.id = video.current_transcript_pk
WHERE {conditions} ORDER BY video.published NULLS LAST, video.id
"""
SEGMENTS = """
SELECT index, start, "end", text, speaker, avg_logprob, word_texts, word_starts, word_ends, word_scores, word_aligned,
    word_speakers, flags
FROM segment WHERE transcript_pk = :transcript ORDER BY index
"""


def corpus_videos(
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


def segments_of(connection: Connection, video: CorpusVideo) -> Iterator[Any]:
    """Rows of SEGMENTS, a thousand at a time from the server."""
    streaming = connection.execution_options(yield_per=1000)
    yield from execute(streaming, SEGMENTS, transcript=video.transcript_pk)
