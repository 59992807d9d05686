"""How far long work is, as a bar in the Prefect UI: one for each long stage of a video, one for a sync as a whole.

A progress artifact, written every few seconds at most; work that is soon done has none. It ends at 100, or with the
reason for which it did not. Never a reason to fail: whether the server takes it is no part of the work.

Its key is that of the work, so that the bars of all tries are in one place. Prefect deletes them with their runs, where
its server is told to (`PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED`, docs/operating.md).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import FlowRunContext, TaskRunContext

from channelscribe.catalogue.leases import Progress
from channelscribe.errors import ChannelscribeError

FIRST_SECONDS = 10.0
"""Work that is done by then has no bar."""
BETWEEN_SECONDS = 5.0

STAGES = ("download", "prepare", "recognize", "align", "diarize", "read", "publish")

Share = Callable[[], float | None]

_log = logging.getLogger(__name__)


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
        """The last word of a bar that was shown."""
        if self._made is None:
            return
        done = ArtifactUpdate(data=100.0)
        self._write(done if failed is None else ArtifactUpdate(description=f"{self._what}: failed ({failed})"))

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
