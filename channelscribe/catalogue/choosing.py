"""Which published transcripts are to be made anew: by channel, model, age or quality."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from channelscribe.catalogue.channels import IN_CHANNEL, known_channel, unknown_channel
from channelscribe.catalogue.cleaning import clean_text
from channelscribe.catalogue.connection import execute

__all__ = ["Candidate", "Wanted", "choose"]


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
