"""What a sync says at its end, from what it did and what the catalogue holds."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from prefect.runtime import flow_run
from prefect.states import Completed

from channelscribe.catalogue.tables import State, VideoRow
from channelscribe.errors import ChannelscribeError
from flows.forms import Failure, ProcessSummary, RetranscribeSummary, SyncRequest, SyncSummary
from tasks.listing import rows_of, waiting_of
from tasks.records import Published, VideoWork

NO_FAILURE = (State.WAITING, State.EXCLUDED)

Summary = TypeVar("Summary", SyncSummary, ProcessSummary, RetranscribeSummary)


def completed(summary: Summary) -> Summary:
    """What a flow returns: whoever called it gets the summary, the Prefect UI shows its headline.

    A run in which videos failed is completed, too: each of them has its reason, and its time for another try.
    """
    return cast(Summary, Completed(message=summary.headline, data=summary))


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


def failures_of(failed: list[tuple[VideoWork, Exception]]) -> list[Failure]:
    """What the rows of these videos say now."""
    rows = rows_of([video for video, _ in failed])
    return [failure(video, rows[video.pk]) for video, _ in failed if video.pk in rows]


def failure(video: VideoWork, row: VideoRow) -> Failure:
    return Failure(
        video=video.video_id,
        title=video.title,
        reason=row.reason or "internal",
        message=row.message or "",
        remedy=row.remedy or "",
        retry_at=row.next_check_at.isoformat() if row.next_check_at else None,
    )


def failure_to_read(video: VideoWork, error: Exception) -> Failure:
    """A transcript that could not be read again; its row keeps what it had."""
    known = error if isinstance(error, ChannelscribeError) else None
    return Failure(
        video=video.video_id,
        title=video.title,
        reason=known.reason if known else "internal",
        message=known.message if known else str(error),
        remedy=known.remedy if known else "",
        retry_at=None,
    )
