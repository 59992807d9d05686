"""What a sync says at its end, from what it did and what the catalogue holds."""

from __future__ import annotations

from typing import Any

from prefect.runtime import flow_run

from channelscribe.catalogue import State, VideoRow
from flows.forms import Failure, SyncRequest, SyncSummary
from tasks.listing import rows_of, waiting_of
from tasks.records import Published, VideoWork

NO_FAILURE = (State.WAITING, State.EXCLUDED)


def summarize(
    request: SyncRequest,
    listed: dict[str, Any],
    published: list[Published],
    failed: list[tuple[VideoWork, Exception]],
) -> SyncSummary:
    """`skipped` are the videos that there was nothing to do for: published before, excluded, given up.

    What was found not to be finished yet, or to be for a filter, did not fail.
    """
    rows = rows_of([video for video, _ in failed])
    failures = [failure(video, rows[video.pk]) for video, _ in failed if rows[video.pk].state not in NO_FAILURE]
    return SyncSummary(
        source=request.source,
        listed=listed["listed"],
        new=listed["new"],
        skipped=max(0, listed["listed"] - len(published) - len(failed)),
        published=len(published),
        waiting=waiting_of(listed["source_pk"]),
        failed=len(failures),
        failures=failures,
        flow_run=str(flow_run.id),
        seconds_of_audio=round(sum(item.seconds for item in published), 1),
        incomplete=listed["incomplete"],
    )


def summarize_rehearsal(request: SyncRequest, found: dict[str, Any]) -> SyncSummary:
    """What a sync would do."""
    return SyncSummary(
        source=request.source,
        listed=found["listed"],
        new=found["new"],
        skipped=max(0, found["listed"] - len(found["due"])),
        published=0,
        waiting=found["waiting"],
        failed=0,
        failures=[],
        flow_run=str(flow_run.id),
        incomplete=found["incomplete"],
        due=found["due"],
        left_out=found["left_out"],
    )


def failure(video: VideoWork, row: VideoRow) -> Failure:
    return Failure(
        video=video.video_id,
        title=video.title,
        reason=row.reason or "internal",
        message=row.message or "",
        remedy=row.remedy or "",
        retry_at=row.next_check_at.isoformat() if row.next_check_at else None,
    )
