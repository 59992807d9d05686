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
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from channelscribe.catalogue import videos
from channelscribe.catalogue.tables import State
from channelscribe.catalogue.videos import Outcome
from channelscribe.errors import SpeechFailed, StackError, WorkerDied
from tasks.publish import record_failure
from tasks.records import PreparedAudio, Published, VideoWork
from tasks.resources import catalogue
from tasks.retry_while_away import patiently

ATTEMPTS = 2
POLL_SECONDS = 2.0

Work = tuple[VideoWork, PreparedAudio]
Lost = tuple[VideoWork, Exception]


@dataclass(frozen=True)
class Sent:
    """A batch that is a run now."""

    batch: Sequence[Work]
    number: int
    attempt: int
    run: UUID


class SpeechPool:
    """`take` batches; `published` and `failed` grow as they end, the last of them in `finish`.

    At most `at_once` are with the pool: the next one waits in `take`, while downloads go on.
    """

    def __init__(self, deployment: str, owner: str, options: dict[str, Any], at_once: int) -> None:
        self.published: list[Published] = []
        self.failed: list[Lost] = []
        self._deployment = deployment
        self._owner = owner
        self._options = options
        self._at_once = at_once
        self._running: list[Sent] = []
        self._count = 0

    def take(self, batch: Sequence[Work]) -> None:
        """Send a batch, as soon as there is room. Raises StackError when there is no such deployment."""
        while len(self._running) >= self._at_once:
            self._look()
        self._count += 1
        self._send(batch, self._count, 1)

    def finish(self) -> None:
        """Wait for all that was sent."""
        while self._running:
            self._look()

    def _send(self, batch: Sequence[Work], number: int, attempt: int) -> None:
        key = f"{self._owner}-{number}-{attempt}"  # sent twice with the same one, it is the same run
        run = patiently(lambda: send(self._deployment, list(batch), self._options, key))
        self._running.append(Sent(batch, number, attempt, run))

    def _look(self) -> None:
        ended = [(sent, state) for sent in self._running if (state := final_state(sent.run))]
        if not ended:
            time.sleep(POLL_SECONDS)
        for sent, state in ended:
            self._running.remove(sent)
            self._end(sent, state)

    def _end(self, sent: Sent, state: str) -> None:
        """Sort a batch's videos by what the catalogue says of them."""
        now = catalogue().run(videos.outcomes, [video.pk for video, _ in sent.batch])
        unfinished = [(video, audio) for video, audio in sent.batch if _is_held(now.get(video.pk), self._owner)]
        left = {video.pk for video, _ in unfinished}
        for video, _ in sent.batch:
            outcome = now.get(video.pk)
            if outcome is not None and video.pk not in left:
                self._sort(video, outcome)
        if unfinished and sent.attempt < ATTEMPTS:
            self._send(unfinished, sent.number, sent.attempt + 1)
            return
        for video, _ in unfinished:
            error = WorkerDied(
                f"The run that was to transcribe it ended as {state}.",
                remedy=f"Look into the flow run {sent.run}; its work pool may need more memory.",
            )
            record_failure(video, error)
            self.failed.append((video, error))

    def _sort(self, video: VideoWork, outcome: Outcome) -> None:
        # With a reason, an older transcript is still there, and the new one failed.
        if outcome.state == State.PUBLISHED and outcome.reason is None:
            self.published.append(
                Published(
                    pk=video.pk,
                    video_id=video.video_id,
                    transcript_id=outcome.transcript_id or "",
                    version=outcome.version or 0,
                    words=outcome.words,
                    seconds=outcome.seconds or 0.0,
                )
            )
        else:
            self.failed.append((video, SpeechFailed(outcome.message or outcome.state, remedy=outcome.remedy or "")))


@task(name="send-to-pool", persist_result=False)
def send(deployment: str, batch: list[Work], options: dict[str, Any], key: str) -> UUID:
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
            flow_run_name=f"{batch[0][0].channel or batch[0][0].site}: {len(batch)} videos",
        )
    except ObjectNotFound as error:
        raise StackError(
            f"There is no deployment {deployment} on the Prefect server.",
            remedy="Run `channelscribe deploy`, or empty prefect.gpu_deployment.",
        ) from error
    found: UUID = run.id
    return found


def final_state(run: UUID) -> str | None:
    """The name of a run's final state; None while it goes on."""

    def read() -> Any:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(run).state

    state = patiently(read)
    return state.name if state is not None and state.is_final() else None


def _is_held(outcome: Outcome | None, owner: str) -> bool:
    return outcome is not None and outcome.owner == owner
