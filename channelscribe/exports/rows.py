"""One row of a corpus: a segment with all that is known of its video and its transcript. Needs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from channelscribe.catalogue.corpus import CorpusVideo

__all__ = ["Row", "plain"]


class Row(NamedTuple):
    """`segment` is a row of the catalogue with its words as arrays."""

    video: CorpusVideo
    segment: Any


def plain(row: Row) -> dict[str, Any]:
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
    }


def _words(segment: Any) -> Iterator[dict[str, Any]]:
    speakers = segment.word_speakers or [segment.speaker] * len(segment.word_texts)
    columns = (segment.word_texts, segment.word_starts, segment.word_ends, segment.word_scores, speakers)
    for text, start, end, score, speaker, aligned in zip(*columns, segment.word_aligned, strict=True):
        yield {"word": text, "start": start, "end": end, "score": score, "speaker": speaker, "aligned": aligned}
