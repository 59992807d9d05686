"""Where tasks run: the configured Dask scheduler, or that of the local stack.

Dask is loaded, and the settings are read, when a run submits its first step: who imports a flow, or runs one that finds
nothing to do, need not have either. The local stack's workers start then; that for speech when it is near.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from types import TracebackType
from typing import Any, Literal, TypeVar

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner
from prefect.tasks import Task

__all__ = ["OnDask", "Resource", "expect_speech", "submit"]

Resource = Literal["CPU", "NET", "GPU"]
R = TypeVar("R")


class OnDask(TaskRunner[PrefectFuture[Any]]):
    """What a flow is declared with. Prefect asks it for a double at the beginning of each run, and runs on that."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._runner: TaskRunner[PrefectFuture[Any]] | None = None
        self._entered = ExitStack()

    def duplicate(self) -> OnDask:
        return OnDask()

    def submit(self, *arguments: Any, **named: Any) -> PrefectFuture[Any]:
        if self._runner is None:
            from tasks.dask_cluster import configured_runner

            self._runner = self._entered.enter_context(configured_runner())
        return self._runner.submit(*arguments, **named)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)


def submit(resource: Resource, step: Task[..., R], *arguments: Any, fresh: bool = False) -> PrefectFuture[R]:
    """Submit a step to the workers that have the resource: "CPU", "NET" (downloads) or "GPU" (speech).

    Arguments may be futures of other steps: this one starts when they are there. What is `fresh` goes first, whichever
    run it is of.
    """
    import dask.base as dask

    if resource == "GPU":
        expect_speech()
    with dask.annotate(resources={resource: 1}, priority=int(fresh)):
        submitted: PrefectFuture[R] = step.submit(*arguments)
    return submitted


@cache
def expect_speech() -> None:
    """Have the local stack's speech worker load its engines: it is needed soon. A configured scheduler has its own."""
    from channelscribe.local_stack import needed
    from tasks.resources import own_settings

    if not own_settings().dask.scheduler:
        needed(own_settings(), "dask", "speech")
