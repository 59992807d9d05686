"""Where tasks run: the configured Dask scheduler, or a local cluster with the same resources."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeVar

import dask.base as dask
from distributed.deploy.spec import SpecCluster
from distributed.nanny import Nanny
from distributed.scheduler import Scheduler
from prefect.futures import PrefectFuture
from prefect.tasks import Task
from prefect_dask.task_runners import DaskTaskRunner

from tasks.workplace import own_settings

Resource = Literal["CPU", "NET", "GPU"]
R = TypeVar("R")


def dask_task_runner() -> Any:
    """By address where one is set (`cluster=` objects are lost when Prefect duplicates a runner)."""
    settings = own_settings()
    if settings.dask.scheduler:
        return DaskTaskRunner(address=settings.dask.scheduler)
    return DaskTaskRunner(cluster_class=local_cluster)


def local_cluster(**_: Any) -> SpecCluster:
    """CPU workers (resources CPU and NET) and one speech worker (GPU=1), on loopback, for one flow run."""
    settings = own_settings()
    threads = settings.dask.cpu_worker_threads
    net = settings.sources.concurrent_downloads
    cores = settings.speech.threads or os.cpu_count() or 1
    # Without a dashboard there is still an HTTP server, on all addresses unless told otherwise.
    quiet: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    common: dict[str, Any] = {**quiet, "memory_limit": 0}
    workers: dict[str, Any] = {
        "speech": {
            "cls": Nanny,
            "options": {**common, "nthreads": 1, "resources": {"GPU": 1}, "env": {"OMP_NUM_THREADS": str(cores)}},
        }
    }
    for number in range(settings.dask.cpu_workers):
        resources = {"CPU": threads, "NET": max(1, net // settings.dask.cpu_workers)}
        workers[f"cpu-{number}"] = {
            "cls": Nanny,
            "options": {**common, "nthreads": threads, "resources": resources, "env": {"OMP_NUM_THREADS": "1"}},
        }
    scheduler = {"cls": Scheduler, "options": quiet}
    return SpecCluster(  # type: ignore[no-untyped-call]
        scheduler=scheduler, workers=workers
    )


def submit(resource: Resource, step: Task[..., R], *arguments: Any) -> PrefectFuture[R]:
    """Submit a step to the workers that have the resource: "CPU", "NET" (downloads) or "GPU" (speech).

    Arguments may be futures of other steps: this one starts when they are there.
    """
    with dask.annotate(resources={resource: 1}):
        submitted: PrefectFuture[R] = step.submit(*arguments)
    return submitted
