"""When a task's work counts as done already, and when a failure is worth another try.

Keys are made of content (ids, sha256 sums, models, options) and a version per step, never of the run: Prefect's own
default policy contains the run id, so nothing would ever be found again by another run. Raise a step's version when
its code starts to give other results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task

from channelscribe.errors import ChannelscribeError, Then
from channelscribe.files import content_key

Parts = Callable[[dict[str, Any]], tuple[Any, ...]]

RETRY_DELAYS: list[float] = [2, 15]
"""Seconds before each further try of a step, on average."""
JITTER = 0.5
"""What is at most added to them, as a share. Steps that failed together are not tried again together."""


@dataclass
class ContentPolicy(CachePolicy):
    """A named cache policy: `<step>-v<version>-<sha256 of the parts of the inputs>`."""

    step: str = ""
    version: int = 1
    parts: Parts = lambda inputs: ()

    def compute_key(
        self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: Any
    ) -> str:
        return f"{self.step}-v{self.version}-{content_key(*self.parts(inputs))}"


def worth_retrying(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Prefect's retry condition: only what the error tree calls transient. Must stay a plain function.

    Where a site said when to come again, and the next try would be before that, the video waits until then.
    """
    error = getattr(state.data, "result", state.data)
    if not isinstance(error, ChannelscribeError) or error.then is not Then.RETRY_NOW:
        return False
    return error.not_before is None or error.not_before <= datetime.now(UTC) + timedelta(seconds=RETRY_DELAYS[0])


RETRIES: dict[str, Any] = {
    "retries": len(RETRY_DELAYS),
    "retry_delay_seconds": RETRY_DELAYS,
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": worth_retrying,
}
"""What each step that can be tried again is declared with."""
