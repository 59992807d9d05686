"""What the library holds and what goes on in it, counted: the status, and the figures that are watched.

What each stage of each video took, and where, is a row a try in `stage_run`; rows are kept as long as their video, and
a takedown takes them along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from channelscribe.catalogue.breakers import Block, blocks
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.states import DUE, FREE, State

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Transaction

__all__ = [
    "Activity",
    "Figures",
    "Progress",
    "ReasonCount",
    "StageFigures",
    "Status",
    "activity",
    "due_length",
    "figures",
    "progress",
    "record_stage",
    "status",
    "work_seconds",
]


@dataclass(frozen=True, slots=True)
class Progress:
    """One video in work. `step_fraction` is 0 to 1, None where the step cannot tell."""

    video_pk: int
    site: str
    video_id: str
    title: str
    state: str
    step: str | None
    step_fraction: float | None
    owner: str
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """A video that is in work, or was when last looked at. `step_fraction` is 0 to 1 or None."""

    pk: int
    video_id: str
    title: str
    state: str
    step: str | None
    step_fraction: float | None
    reason: str | None
    message: str | None
    remedy: str | None
    in_work: bool


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
# Rows of videos are long: counts come from indexes, and a remedy from a few of the rows that have the reason.
REASONS = """
SELECT state, reason, videos, (SELECT max(remedy) FROM (SELECT remedy FROM video
    WHERE video.state = counted.state AND video.reason = counted.reason LIMIT 100) AS few) AS remedy
FROM (SELECT state, reason, count(*) AS videos FROM video WHERE reason IS NOT NULL GROUP BY state, reason) AS counted
ORDER BY videos DESC, state, reason
"""
# Most videos of a library have a transcript: the others are counted.
SOURCES = """
WITH listed AS (SELECT source_pk, count(*) AS videos FROM source_video WHERE gone_at IS NULL GROUP BY source_pk),
missing AS (SELECT source_pk, count(*) AS videos FROM source_video JOIN video ON video.id = video_pk
    WHERE gone_at IS NULL AND current_transcript_pk IS NULL GROUP BY source_pk)
SELECT title, url, coalesce(listed.videos, 0) AS videos,
    coalesce(listed.videos, 0) - coalesce(missing.videos, 0) AS transcripts
FROM source LEFT JOIN listed ON listed.source_pk = source.id LEFT JOIN missing ON missing.source_pk = source.id
ORDER BY source.id
"""


def status(session: Transaction) -> Status:
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


DONE = "done"
RECENT_HOURS = 24

RECORD = """
INSERT INTO stage_run (video_pk, stage, outcome, seconds, peak_rss_bytes, worker)
SELECT id, :stage, :outcome, :seconds, :peak, :worker FROM video WHERE id = :video
"""
STAGES = """
WITH recent AS (SELECT stage, video_pk, sum(seconds) AS seconds FROM stage_run
    WHERE outcome = 'done' AND ended_at > now() - make_interval(hours => :hours) GROUP BY stage, video_pk),
pace AS (SELECT stage, sum(duration) / nullif(sum(seconds), 0) AS real_time_factor
    FROM recent JOIN video ON video.id = video_pk WHERE duration IS NOT NULL GROUP BY stage)
SELECT stage, count(*) FILTER (WHERE outcome = 'done') AS done, count(*) FILTER (WHERE outcome <> 'done') AS failed,
    sum(seconds) AS seconds, max(peak_rss_bytes) AS peak_rss_bytes, max(real_time_factor) AS real_time_factor
FROM stage_run LEFT JOIN pace USING (stage) GROUP BY stage ORDER BY stage
"""
# Since when: the check that came due, else when the video was first listed.
QUEUE = f"""
SELECT count(*) AS due, coalesce(extract(epoch FROM now() - min(coalesce(next_check_at, created_at))), 0) AS oldest
FROM video WHERE {DUE} AND {FREE}
    AND EXISTS (SELECT 1 FROM source_video WHERE video_pk = video.id AND gone_at IS NULL)
"""  # noqa: S608 - constants of the module leases
TRANSCRIBED = (
    "SELECT coalesce(sum(transcript.duration), 0) FROM transcript JOIN video ON current_transcript_pk = transcript.id"
)
RUNNING = """SELECT coalesce(step, 'queued') AS step, count(*) AS videos FROM video
WHERE lease_owner IS NOT NULL AND lease_until >= now() GROUP BY 1"""
FAILED = """SELECT reason, count(*) AS videos FROM video
WHERE reason IS NOT NULL AND state IN ('retrying', 'unavailable') GROUP BY reason"""


@dataclass(frozen=True, slots=True)
class StageFigures:
    """One stage: tries that were done and that failed, seconds of work of both, the most memory of a worker in bytes.

    `real_time_factor` is seconds of video for each second of work, in the last 24 hours; None where nothing was done.
    """

    stage: str
    done: int
    failed: int
    seconds: float
    peak_rss_bytes: int | None
    real_time_factor: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is watched. `oldest_due_seconds` is how long the oldest due video has waited; counts are of videos."""

    states: dict[str, int]
    failures: dict[str, int]
    running: dict[str, int]
    due: int
    oldest_due_seconds: float
    transcribed_seconds: float
    stages: list[StageFigures] = field(default_factory=list)


def record_stage(
    session: Session, video_pk: int, stage: str, outcome: str, seconds: float, peak_rss_bytes: int, worker: str
) -> None:
    """One try of a stage: `outcome` is "done" or a reason code. Nothing is written where the video is gone."""
    execute(
        session,
        RECORD,
        video=video_pk,
        stage=stage,
        outcome=outcome,
        seconds=seconds,
        peak=peak_rss_bytes,
        worker=worker,
    )


def work_seconds(session: Transaction, video_pks: Sequence[int], since: datetime) -> dict[int, float]:
    """Seconds that the stages of each video took, all tries together, as far as they ended after `since`."""
    statement = """SELECT video_pk, sum(seconds) AS seconds FROM stage_run
        WHERE video_pk = ANY(:videos) AND ended_at >= :since GROUP BY video_pk"""
    rows = execute(session, statement, videos=list(video_pks), since=since)
    return {row.video_pk: float(row.seconds) for row in rows}


def figures(session: Transaction) -> Figures:
    """Over the whole library, in one snapshot."""
    states = execute(session, "SELECT state, count(*) AS videos FROM video GROUP BY state")
    queue = execute(session, QUEUE).one()
    return Figures(
        states={row.state: row.videos for row in states},
        failures={row.reason: row.videos for row in execute(session, FAILED)},
        running={row.step: row.videos for row in execute(session, RUNNING)},
        due=queue.due,
        oldest_due_seconds=float(queue.oldest),
        transcribed_seconds=float(execute(session, TRANSCRIBED).scalar_one()),
        stages=[StageFigures(**row) for row in execute(session, STAGES, hours=RECENT_HOURS).mappings()],
    )


def progress(session: Transaction, owner: str | None = None) -> list[Progress]:
    """Videos in work now, of one owner or of all; the oldest lease first."""
    rows = execute(
        session,
        "SELECT id AS video_pk, site, video_id, title, state, step, step_fraction, lease_owner AS owner, lease_until "
        "FROM video WHERE lease_owner IS NOT NULL AND lease_until >= now() "
        "AND (CAST(:owner AS text) IS NULL OR lease_owner = :owner) ORDER BY lease_until, id",
        owner=owner,
    ).mappings()
    return [Progress(**row) for row in rows]


def activity(session: Transaction, seen: Sequence[int] = ()) -> list[Activity]:
    """Videos that are leased now, and those of `seen` (our numbers) whatever became of them; oldest number first."""
    rows = execute(
        session,
        "SELECT id AS pk, video_id, title, state, step, step_fraction, reason, message, remedy, "
        "coalesce(lease_until >= now(), false) AS in_work FROM video "
        "WHERE (lease_owner IS NOT NULL AND lease_until >= now()) OR id = ANY(:seen) ORDER BY id",
        seen=list(seen),
    ).mappings()
    return [Activity(**row) for row in rows]


def due_length(session: Transaction) -> tuple[int, float, float]:
    """How many videos a run would take up now, the seconds of all and of the longest, where they are told."""
    row = execute(
        session,
        f"SELECT count(*), coalesce(sum(duration), 0), coalesce(max(duration), 0) FROM video WHERE {DUE} AND {FREE} "  # noqa: S608
        "AND EXISTS (SELECT 1 FROM source_video WHERE video_pk = video.id AND gone_at IS NULL)",
    ).one()
    return int(row[0]), float(row[1]), float(row[2])
