"""Where tasks run: the configured Dask scheduler, or that of the local stack.

Dask is loaded, and the settings are read, when a run begins: who imports a flow need not have either.
"""

from __future__ import annotations

from typing import Any, Literal, NoReturn, TypeVar

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner
from prefect.tasks import Task

__all__ = ["OnDask", "Resource", "submit"]

Resource = Literal["CPU", "NET", "GPU"]
R = TypeVar("R")


class OnDask(TaskRunner[PrefectFuture[Any]]):
    """What a flow is declared with. Prefect asks it for a double at the beginning of each run, and runs on that."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def duplicate(self) -> Any:
        from tasks.dask_cluster import configured_runner

        return configured_runner()

    def submit(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("The double that Prefect made for the run submits.")


def submit(resource: Resource, step: Task[..., R], *arguments: Any, fresh: bool = False) -> PrefectFuture[R]:
    """Submit a step to the workers that have the resource: "CPU", "NET" (downloads) or "GPU" (speech).

    Arguments may be futures of other steps: this one starts when they are there. What is `fresh` goes first, whichever
    run it is of.
    """
    import dask.base as dask

    with dask.annotate(resources={resource: 1}, priority=int(fresh)):
        submitted: PrefectFuture[R] = step.submit(*arguments)
    return submitted
