"""Where tasks run: the configured Dask scheduler, or a local cluster with the same resources."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeVar

import dask.base as dask
from distributed.deploy.spec import SpecCluster
from distributed.nanny import Nanny
from distributed.scheduler import Scheduler
from distributed.security import Security
from prefect.futures import PrefectFuture
from prefect.tasks import Task
from prefect_dask.client import PrefectDaskClient
from prefect_dask.task_runners import DaskTaskRunner

from channelscribe.errors import InvalidSetting
from channelscribe.settings.options import DaskOptions
from tasks.dask_client import StepClient
from tasks.logs import tell_runs
from tasks.resources import own_settings

Resource = Literal["CPU", "NET", "GPU"]
R = TypeVar("R")


class StepRunner(DaskTaskRunner):
    """prefect-dask's runner with a client of our own (`tasks.dask_client`)."""

    @property
    def client(self) -> PrefectDaskClient:
        if self._client is None:
            place = self.address or self._exit_stack.enter_context(self._new_cluster())
            made: Any = StepClient
            self._client = self._exit_stack.enter_context(made(place, **self.client_kwargs))
        return self._client

    def _new_cluster(self) -> Any:
        make: Any = self.cluster_class
        self._cluster = make(**self.cluster_kwargs)
        return self._cluster


def dask_task_runner() -> Any:
    """By address where one is set (`cluster=` objects are lost when Prefect duplicates a runner)."""
    tell_runs()
    settings = own_settings()
    if settings.dask.scheduler:
        return StepRunner(address=settings.dask.scheduler, client_kwargs=tls(settings.dask))
    return StepRunner(cluster_class=local_cluster)


def tls(options: DaskOptions) -> dict[str, Any]:
    """What a client needs for a `tls://` scheduler. Raises InvalidSetting where a file is not named or not there.

    Nothing goes to such a scheduler unencrypted, and none without a certificate of the authority is believed.
    """
    if not (options.scheduler or "").startswith("tls://"):
        return {}
    files = {"tls_ca": options.tls_ca, "tls_cert": options.tls_cert, "tls_key": options.tls_key or options.tls_cert}
    for name, path in files.items():
        if path is None or not path.is_file():
            raise InvalidSetting(
                f"dask.scheduler is a tls:// address, and dask.{name} names {path or 'no file'}.",
                remedy=f"Set CHANNELSCRIBE_DASK__{name.upper()} to a PEM file.",
            )
    security = Security(  # type: ignore[no-untyped-call]
        tls_ca_file=str(files["tls_ca"]),
        tls_client_cert=str(files["tls_cert"]),
        tls_client_key=str(files["tls_key"]),
        require_encryption=True,
    )
    return {"security": security}


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
