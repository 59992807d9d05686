"""Who is killed with `kill -9`, and what a person or an automation does about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psutil
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.zombie_runs import NOT_STARTED_AFTER, close_lost
from tests.chaos.world import World, kill, settled


def flow(world: World) -> None:
    world.flow().kill()


def cpu_worker(world: World) -> None:
    kill(worker_of(world, "cpu-worker"))


def speech_worker(world: World) -> None:
    kill(worker_of(world, "speech-worker"))


def worker_of(world: World, service: str) -> psutil.Process:
    """The worker process itself: of a service with a nanny, its child."""
    found = world.service(service)
    if "--no-nanny" in found.cmdline():
        return found

    def spawned() -> list[psutil.Process]:
        with suppress(psutil.Error):
            return [each for each in found.children() if "resource_tracker" not in " ".join(each.cmdline())]
        return []

    children: list[psutil.Process] = settled(f"the worker of {service}", spawned)
    return children[-1]


def scheduler(world: World) -> None:
    kill(world.service("dask-scheduler"))


def prefect(world: World) -> None:
    kill(world.service("prefect-server"))


def postgres(world: World) -> None:
    kill(world.service("postgres"))


def gpu_run(world: World) -> None:
    """Only the process of the run: its worker tells the server. Where there is none yet, the worker."""
    runs = runs_of(world.service("pool-workers"))
    for each in runs or [world.service("pool-workers")]:
        kill(each)


def gpu_worker(world: World) -> None:
    """The worker and the run that it started: nobody is left to tell the server. Its silence does, in time: the matrix
    does not wait for that, it sweeps as if more than an hour had passed.
    """
    worker = world.service("pool-workers")
    for each in [worker, *runs_of(worker)]:
        kill(each)
    with temporary_settings({PREFECT_API_URL: world.stack.addresses.prefect_api_url}):
        later = datetime.now(UTC) + NOT_STARTED_AFTER + timedelta(seconds=1)
        close_lost([], later, delete=True, flows=["transcribe-audio"])


def runs_of(worker: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return worker.children(recursive=True)
    return []


VICTIMS: dict[str, Callable[[World], None]] = {
    "flow": flow,
    "cpu-worker": cpu_worker,
    "speech-worker": speech_worker,
    "prefect": prefect,
    "postgres": postgres,
    "gpu-worker": gpu_worker,
    "gpu-run": gpu_run,
    "scheduler": scheduler,
}
UNLESS_NAMED = ("gpu-run", "scheduler")
"""Left out unless asked for."""
ON_THE_POOL = ("gpu-run", "gpu-worker")
STEPS = ("list", "download", "prepare", "recognize", "align", "diarize", "read", "publish")
