"""Batches of speech as runs of a deployment on a work pool: sent, watched, looked at when they end.

Each batch is a child run (`run_deployment` without waiting), with its attempt in the idempotency key: Prefect's key is
for ever, so with the same one a failed run would come back. A child's own word is not relied on: it may die with it.
What it did is in the catalogue, and a video that is still leased was not finished. Those are sent once more; then they
have failed, alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State as RunState
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from channelscribe.catalogue import videos
from channelscribe.catalogue.tables import State
from channelscribe.catalogue.videos import Outcome
from channelscribe.errors import SpeechFailed, StackError, WorkerDied
from channelscribe.settings import PrefectOptions
from tasks.batching import Failed, Work
from tasks.publish import record_failure
from tasks.records import Options
from tasks.resources import catalogue
from tasks.retry_while_away import patiently

ATTEMPTS = 2
POLL_SECONDS = 2.0
FRESH, BACKLOG = "fresh", "backlog"
"""Work queues of the pool, by priority: today's episode does not wait behind a backfill of two thousand."""


@dataclass(frozen=True)
class Sent:
    """A batch that is a run now."""

    batch: Sequence[Work]
    number: int
    attempt: int
    run: UUID


class SpeechPool:
    """`take` batches; it and `finish` return what failed of those that ended meanwhile.

    At most `gpu_runs` are with the pool: the next one waits in `take`, while downloads go on.
    """

    def __init__(self, options: PrefectOptions, owner: str, run_options: Options) -> None:
        self._deployment = options.gpu_deployment or ""
        self._at_once = options.gpu_runs
        self._owner = owner
        self._options = run_options
        self._running: list[Sent] = []
        self._count = 0

    def take(self, batch: Sequence[Work]) -> list[Failed]:
        """Send a batch, as soon as there is room. Raises StackError when there is no such deployment."""
        failed: list[Failed] = []
        for queue in (FRESH, BACKLOG):
            some = [(video, audio) for video, audio in batch if video.fresh is (queue == FRESH)]
            if not some:
                continue
            while len(self._running) >= self._at_once:
                failed += self._look()
            self._count += 1
            self._send(some, self._count, 1)
        return failed

    def finish(self) -> list[Failed]:
        """Wait for all that was sent."""
        failed: list[Failed] = []
        while self._running:
            failed += self._look()
        return failed

    def _send(self, batch: Sequence[Work], number: int, attempt: int) -> None:
        key = f"{self._owner}-{number}-{attempt}"  # sent twice with the same one, it is the same run
        run = patiently(lambda: send(self._deployment, list(batch), self._options, key))
        self._running.append(Sent(batch, number, attempt, run))

    def _look(self) -> list[Failed]:
        ended = [(sent, state) for sent in self._running if (state := final_state(sent.run))]
        if not ended:
            time.sleep(POLL_SECONDS)
        failed: list[Failed] = []
        for sent, state in ended:
            self._running.remove(sent)
            failed += self._end(sent, state)
        return failed

    def _end(self, sent: Sent, state: RunState[Any]) -> list[Failed]:
        """Sort a batch's videos by what the catalogue says of them."""
        now = catalogue().run(videos.outcomes, [video.pk for video, _ in sent.batch])
        unfinished = [(video, audio) for video, audio in sent.batch if _is_held(now.get(video.pk), self._owner)]
        left = {video.pk for video, _ in unfinished}
        failed = [
            Failed(video, error)
            for video, _ in sent.batch
            if video.pk not in left and (error := _failure(now.get(video.pk), state)) is not None
        ]
        if unfinished and sent.attempt < ATTEMPTS:
            self._send(unfinished, sent.number, sent.attempt + 1)
            return failed
        for video, _ in unfinished:
            error = WorkerDied(
                f"The run that was to transcribe it ended as {state.name}.",
                remedy=f"See the flow run {sent.run}; its work pool may need more memory.",
            )
            record_failure(video, error)
            failed.append(Failed(video, error))
        return failed


def _failure(row: Outcome | None, state: RunState[Any]) -> Exception | None:
    """Why a video that its run has given back has no new transcript; None when it has one."""
    if row is None:
        return SpeechFailed("The video is gone.")
    # With a reason, an older transcript is still there, and the new one failed.
    if row.reason is not None:
        return SpeechFailed(row.message or row.state, remedy=row.remedy or "")
    if row.state != State.PUBLISHED or state.is_failed():
        # Given back without a word on its row: the run met a failure of its machine.
        return StackError(state.message or f"The run that was to transcribe it ended as {state.name}.")
    return None


@task(name="send-to-pool", persist_result=False)
def send(deployment: str, batch: list[Work], options: Options, key: str) -> UUID:
    """Make the child run of a batch; returns its id at once."""
    request = {
        "videos": [video.model_dump(mode="json") for video, _ in batch],
        "audio": [audio.model_dump(mode="json") for _, audio in batch],
        "options": options,
    }
    try:
        run: Any = run_deployment(
            deployment,
            parameters={"request": request},
            timeout=0,
            idempotency_key=key,
            work_queue_name=FRESH if batch[0][0].fresh else BACKLOG,
            flow_run_name=f"{batch[0][0].channel or batch[0][0].site}: {len(batch)} videos",
        )
    except ObjectNotFound as error:
        raise StackError(
            f"There is no deployment {deployment} on the Prefect server.",
            remedy="Run `channelscribe deploy`, or empty prefect.gpu_deployment.",
        ) from error
    found: UUID = run.id
    return found


def final_state(run: UUID) -> RunState[Any] | None:
    """A run's final state; None while it goes on."""

    def read() -> Any:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(run).state

    state: RunState[Any] | None = patiently(read)
    return state if state is not None and state.is_final() else None


def _is_held(outcome: Outcome | None, owner: str) -> bool:
    return outcome is not None and outcome.owner == owner
