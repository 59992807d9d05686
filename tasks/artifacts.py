"""What a run shows in the Prefect UI: a page for each video, a table of all, and a bar for long work.

Prefect's UI (3.8, both of its looks) shows images of a markdown artifact whose address is `data:image/…`. A bar is a
progress artifact, written every few seconds at most; work that is soon done has none. It goes when the work is done;
where it failed it stays with the reason. Its key is that of the work, so that the bars of all tries are in one place.
None of this is ever a reason to fail: whether the server takes it is no part of the work. Prefect deletes artifacts
with their runs, where its server is told to (`PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED`, docs/operating.md).
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.context import FlowRunContext, TaskRunContext

from channelscribe.catalogue import stats, videos
from channelscribe.catalogue.stats import Progress
from channelscribe.catalogue.videos import Outcome
from channelscribe.errors import ChannelscribeError
from channelscribe.evaluation.summary import page
from channelscribe.export import VideoMeta
from channelscribe.sources.addresses import display_url
from channelscribe.transcript import Transcript
from tasks.records import VideoWork
from tasks.resources import catalogue

LONGEST_KEY = 80  # characters of a site and an id

FIRST_SECONDS = 10.0
"""Work that is done by then has no bar."""
BETWEEN_SECONDS = 5.0

STAGES = ("download", "prepare", "recognize", "align", "diarize", "read", "embed", "publish")

Share = Callable[[], float | None]

_log = logging.getLogger(__name__)


def transcript_artifact_key(site: str, video_id: str) -> str:
    """The page of a video has one key, so that its history is in one place."""
    return artifact_key("transcript", f"{site}-{video_id}")


def progress_key(stage: str, site: str, video_id: str) -> str:
    """The bars of a stage of a video, whichever try."""
    return artifact_key(f"progress-{stage}", f"{site}-{video_id}")


def source_key(kind: str, source: str) -> str:
    """What a run leaves of a source. The URL of a private feed has a token in it, which is not for the key."""
    return artifact_key(kind, source, display_url(source))


def artifact_key(kind: str, name: str, shown: str | None = None) -> str:
    """Prefect's keys have a-z, 0-9 and dashes only. A name that loses something by that gets a bit of its hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", (shown or name).lower()).strip("-")[:LONGEST_KEY].strip("-")
    digits = "" if plain == name else f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{kind}-{plain}{digits}"


def show_transcript(video: VideoWork, transcript: Transcript, meta: VideoMeta, version: int) -> None:
    """Leave the video's page as an artifact of this task run. Never fails: it is no part of what is published."""
    try:
        create_markdown_artifact(
            key=transcript_artifact_key(video.site, video.video_id),
            markdown=page(transcript, meta, version),
            description=" ".join(video.title.split())[:200],
        )
    except Exception as error:
        _log.warning("%s has no page in the UI: %s: %s", video.video_id, type(error).__name__, error)


def show_sync(source: str, title: str, taken: Sequence[VideoWork], since: datetime) -> None:
    """Leave a table of what a run did with each video: state, reason, seconds, real-time factor. Never fails.

    The factor is seconds of audio for each second of work since `since`, all stages together.
    """
    try:
        rows = catalogue().run(videos.outcomes, [video.pk for video in taken])
        work = catalogue().run(stats.work_seconds, list(rows), since)
        create_table_artifact(
            key=source_key("sync", source),
            table=[_line(row, work.get(pk, 0.0)) for pk, row in rows.items()],
            description=" ".join(title.split())[:200],
        )
    except Exception as error:
        _log.warning("the run has no table in the UI: %s: %s", type(error).__name__, error)


def _line(row: Outcome, work: float) -> dict[str, str | float | None]:
    heard = row.seconds if row.reason is None else None
    return {
        "video": row.video_id,
        "state": row.state,
        "reason": row.reason or "",
        "seconds of audio": heard,
        "seconds of work": round(work, 1),
        "real-time factor": round(heard / work, 2) if heard and work else None,
    }


def forget_artifacts(site: str, video_id: str) -> int:
    """Delete all pages of a video, which hold its title and first words, and its bars; returns how many there were."""
    bars = [progress_key(stage, site, video_id) for stage in STAGES]
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[transcript_artifact_key(site, video_id), *bars]))
    gone = 0
    with get_client(sync_client=True) as client:
        while found := client.read_artifacts(artifact_filter=wanted):
            for artifact in found:
                client.delete_artifact(artifact.id)
            gone += len(found)
    return gone


class Bar:
    """Call it with the share that is done, 0 to 1, as often as you like."""

    def __init__(self, key: str, what: str, first: float = FIRST_SECONDS, between: float = BETWEEN_SECONDS) -> None:
        flow, task = FlowRunContext.get(), TaskRunContext.get()
        self._task_run = task.task_run.id if task else None
        self._flow_run = task.task_run.flow_run_id if task else flow.flow_run.id if flow and flow.flow_run else None
        self._key, self._what, self._between = key, what, between
        self._next = time.monotonic() + first
        self._made: UUID | None = None
        self._given_up = self._flow_run is None

    def __call__(self, share: float | None) -> None:
        if share is None or self._given_up or time.monotonic() < self._next:
            return
        self._write(ArtifactUpdate(data=round(100 * min(max(share, 0.0), 1.0), 1)))
        self._next = time.monotonic() + self._between

    def end(self, failed: str | None = None) -> None:
        """A bar that was shown goes; of what failed it stays, with its last word."""
        if self._made is None:
            return
        if failed is not None:
            self._write(ArtifactUpdate(description=f"{self._what}: failed ({failed})"))
            return
        try:
            with get_client(sync_client=True) as client:
                client.delete_artifact(self._made)
        except Exception as error:
            _log.warning("the bar of %s is left in the UI: %s: %s", self._what, type(error).__name__, error)

    def _write(self, update: ArtifactUpdate) -> None:
        try:
            with get_client(sync_client=True) as client:
                if self._made is not None:
                    client.update_artifact(self._made, update)
                    return
                run = {"flow_run_id": self._flow_run, "task_run_id": self._task_run}
                made = ArtifactCreate(key=self._key, type="progress", description=self._what, data=update.data, **run)
                self._made = client.create_artifact(made).id
        except Exception as error:
            self._given_up = True  # until the end: each try may take as long as a server that does not answer
            _log.warning("%s is not shown in the UI: %s: %s", self._what, type(error).__name__, error)


@contextmanager
def bar(key: str, what: str, first: float = FIRST_SECONDS, between: float = BETWEEN_SECONDS) -> Iterator[Bar]:
    """A bar for the work inside, which fills it."""
    shown = Bar(key, what, first, between)
    try:
        yield shown
    except BaseException as error:
        shown.end(error.reason if isinstance(error, ChannelscribeError) else type(error).__name__)
        raise
    shown.end()


def share_done(taken: int, left: int, in_work: Sequence[Progress]) -> float | None:
    """About how much of a run is done: of `taken` videos those that are in work count by their stage, `left` follow."""
    if not taken + left:
        return None
    begun = (STAGES.index(each.step) + (each.step_fraction or 0.0) for each in in_work if each.step in STAGES)
    return (taken - len(in_work) + sum(begun) / len(STAGES)) / (taken + left)


@contextmanager
def followed(
    key: str, what: str, share: Share, first: float = FIRST_SECONDS, between: float = BETWEEN_SECONDS
) -> Iterator[None]:
    """A bar for work that does not tell by itself: `share` is asked every few seconds, in a thread of its own."""
    over = threading.Event()

    def follow(shown: Bar) -> None:
        wait = first
        while not over.wait(wait):
            wait = between
            try:
                shown(share())
            except Exception as error:
                _log.debug("how far %s is: %s: %s", what, type(error).__name__, error)

    with bar(key, what, 0.0, 0.0) as shown:
        thread = threading.Thread(target=follow, args=(shown,), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
