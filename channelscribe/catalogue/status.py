"""What the library holds and what goes on in it, counted."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from channelscribe.catalogue.breakers import Block, blocks
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.leases import DUE, FREE, Progress, progress
from channelscribe.catalogue.tables import State

__all__ = ["ReasonCount", "Status", "status"]


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many videos are in a state for a reason, and what to do about it."""

    state: str
    reason: str
    videos: int
    remedy: str | None


@dataclass(frozen=True, slots=True)
class SourceCount:
    """A source, how many videos it lists, and how many of them have a transcript."""

    title: str
    url: str
    videos: int
    transcripts: int


@dataclass(frozen=True, slots=True)
class Status:
    """`states` has every state, 0 included. `due` counts what a run would take up now; `running` is leased;
    `blocks` are sites that are left alone for a while."""

    sources: list[SourceCount]
    videos: int
    states: dict[str, int]
    reasons: list[ReasonCount]
    due: int
    running: list[Progress]
    blocks: list[Block]


DUE_NOW = f"""
SELECT count(*) FROM video WHERE {DUE} AND {FREE}
    AND EXISTS (SELECT 1 FROM source_video WHERE video_pk = video.id AND gone_at IS NULL)
"""  # noqa: S608 - constants of the module leases
REASONS = """
SELECT state, reason, count(*) AS videos, max(remedy) AS remedy FROM video
WHERE reason IS NOT NULL GROUP BY state, reason ORDER BY videos DESC, state, reason
"""

SOURCES = """
SELECT source.title, source.url, count(video.id) AS videos, count(video.current_transcript_pk) AS transcripts
FROM source LEFT JOIN source_video ON source_pk = source.id AND gone_at IS NULL LEFT JOIN video ON video.id = video_pk
GROUP BY source.id ORDER BY source.id
"""


def status(session: Session) -> Status:
    """Counts over the whole library."""
    rows = execute(session, "SELECT state, count(*) AS videos FROM video GROUP BY state").all()
    counts = {row.state: int(row.videos) for row in rows}
    return Status(
        sources=[SourceCount(**row) for row in execute(session, SOURCES).mappings()],
        videos=sum(counts.values()),
        states={state.value: counts.get(state.value, 0) for state in State},
        reasons=[ReasonCount(**row) for row in execute(session, REASONS).mappings()],
        due=execute(session, DUE_NOW).scalar_one(),
        running=progress(session, None),
        blocks=blocks(session),
    )
