"""What a sync says at its end, from what it did and what the catalogue holds."""

from __future__ import annotations

from typing import Any

from prefect.runtime import flow_run

from flows.forms import Failure, SyncRequest, SyncSummary
from tasks.listing import rows_of
from tasks.records import Published, VideoWork


def summarize(
    request: SyncRequest,
    listed: dict[str, Any],
    source_pk: int,
    published: list[Published],
    failed: list[tuple[VideoWork, Exception]],
    due: list[dict[str, Any]] | None = None,
) -> SyncSummary:
    """`skipped` are the videos that there was nothing to do for: published before, or given up."""
    rows = {row["pk"]: row for row in rows_of(source_pk)}
    failures = [failure(video, rows[video.pk]) for video, _ in failed]
    waiting = sum(1 for row in rows.values() if row["state"] == "waiting")
    return SyncSummary(
        source=request.source,
        listed=listed["listed"],
        new=listed["new"],
        skipped=max(0, listed["listed"] - len(published) - len(failed) - len(due or [])),
        published=len(published),
        waiting=waiting,
        failed=len(failures),
        failures=failures,
        flow_run=str(flow_run.id),
        seconds_of_audio=round(sum(item.seconds for item in published), 1),
        due=due or [],
    )


def failure(video: VideoWork, row: dict[str, Any]) -> Failure:
    return Failure(
        video=video.video_id,
        title=video.title,
        reason=row["reason"] or "internal",
        message=row["message"] or "",
        retry_at=row["next_check_at"],
    )
