"""What a run says at its end, from what it did and what the catalogue holds; and what a run is called."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from channelscribe.catalogue import videos
from channelscribe.catalogue.tables import State, VideoRow
from channelscribe.discovery import Listed
from channelscribe.errors import ChannelscribeError, LeaseLost, stops_run
from channelscribe.sources.addresses import display_urls
from flows.forms import Failure, ProcessSummary, RetranscribeSummary, SyncRequest, SyncSummary
from flows.pipeline import Ended
from tasks import batching, telling
from tasks.queue import VideoQueue
from tasks.resources import catalogue, own_settings

NO_FAILURE = (State.WAITING, State.EXCLUDED)
LONGEST_NAME = 90

Summary = TypeVar("Summary", SyncSummary, ProcessSummary, RetranscribeSummary)


def completed(summary: Summary, stopped: Exception | None = None) -> Summary:
    """What a flow returns: whoever called it gets the summary, the Prefect UI shows its headline.

    A run in which videos failed is completed, too: each of them has its reason, and its time for another try. One that
    a failure of the machine ended has failed, and holds its summary all the same.
    """
    name = (flow_run.flow_name or "run").removesuffix("-channel")
    telling.finished(name, summary.model_dump(mode="json"), own_settings().notify.failed_share)
    if stopped is not None:
        return cast(Summary, Failed(message=f"{stopped} ({summary.headline})", data=summary))
    return cast(Summary, Completed(message=summary.headline, data=summary))


def completed_batch(count: int, failed: Sequence[batching.Failed]) -> Any:
    """The state of a speech run."""
    stopped = next((error for _, error in failed if stops_run(error)), None)
    if stopped is not None:
        return Failed(message=str(stopped))
    return Completed(message=f"{count - len(failed)} published, {len(failed)} failed")


def called() -> str:
    """What a run is called in lists: `youtube.com/@city-radio 2026-01-31 06:15`. Prefect calls it without arguments."""
    request = flow_run.parameters["request"]
    given = request if isinstance(request, dict) else request.model_dump()
    return f"{subject(str(flow_run.flow_name), given)} {datetime.now(UTC):%Y-%m-%d %H:%M}"


def subject(flow: str, request: Mapping[str, Any]) -> str:
    """What a run of a flow is about, from its form."""
    what: str
    harmless = ("sync-channel", "transcribe-audio", "canary", "name-voices")
    if flow == "transcribe-audio":
        videos = [each if isinstance(each, Mapping) else each.model_dump() for each in request["videos"]]
        what = f"{len(videos)} of {' '.join(str(videos[0]['channel']).split())}"
    elif flow == "sync-channel":
        parts = urlsplit(str(request["source"]))
        what = (parts.hostname or "").removeprefix("www.") + parts.path.removesuffix("/").removesuffix("/videos")
    elif flow == "canary":
        what = f"canary {display_urls(str(request.get('url') or ''))}".strip()
    elif flow == "sweep":
        what = "sweep and repair" if request.get("repair") else "sweep"
    else:
        of = request.get("video") or request.get("channel") or "all channels"
        what = f"{flow} {display_urls(str(of))}" + (f" made with {request['model']}" if request.get("model") else "")
    does_nothing = request.get("dry_run", flow not in harmless)
    return f"{what[:LONGEST_NAME]}{' (dry run)' if does_nothing else ''}"


def run_name() -> str:
    """What others are told of this run: where it is, and how it is found."""
    return f"run {flow_run.id} on {platform.node()}"


def summarize(request: SyncRequest, listed: Listed, queue: VideoQueue, ended: Ended) -> SyncSummary:
    """`skipped` are the videos that there was nothing to do for: published before, excluded, given up.

    What was found not to be finished yet, or to be for a filter, did not fail.
    """
    failures = failures_of(ended)
    published = catalogue().run(videos.outcomes, [video.pk for video in ended.published])
    summary = SyncSummary(
        source=request.source,
        listed=listed.listed,
        new=listed.new,
        changed=listed.changed,
        skipped=max(0, listed.listed - len(ended.taken) - queue.held),
        published=len(published),
        waiting=catalogue().run(videos.waiting, listed.source_pk),
        failed=len(failures),
        failures=failures,
        held=queue.held,
        held_until=queue.held_until.isoformat() if queue.held_until else None,
        flow_run=str(flow_run.id),
        seconds_of_audio=round(sum(row.seconds or 0.0 for row in published.values()), 1),
        incomplete=listed.incomplete,
        notes=listed.notes,
        stopped=str(ended.stopped) if ended.stopped else None,
    )
    return completed(summary, ended.stopped)


def failures_of(ended: Ended) -> list[Failure]:
    """What the rows of the failed videos say now. A failure of the machine, or a video that is somebody else's by now,
    is none.
    """
    failed = [(video, error) for video, error in ended.failed if not (stops_run(error) or isinstance(error, LeaseLost))]
    rows = {row.id: row for row in catalogue().run(videos.rows_of, [video.pk for video, _ in failed])}
    known = [rows[video.pk] for video, _ in failed if video.pk in rows]
    return [failure(row) for row in known if row.state not in NO_FAILURE]


def failure(row: VideoRow) -> Failure:
    return Failure(
        video=row.video_id,
        title=row.title,
        reason=row.reason or "internal",
        message=row.message or "",
        remedy=row.remedy or "",
        retry_at=row.next_check_at.isoformat() if row.next_check_at else None,
    )


def failure_to_read(failed: batching.Failed) -> Failure:
    """A transcript that could not be read again; its row keeps what it had."""
    video, error = failed
    known = error if isinstance(error, ChannelscribeError) else None
    return Failure(
        video=video.video_id,
        title=video.title,
        reason=known.reason if known else "internal",
        message=known.message if known else str(error),
        remedy=known.remedy if known else "",
        retry_at=None,
    )
