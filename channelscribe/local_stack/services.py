"""What each service of the laptop stack is: its command line, its environment, how it is stopped.

Addresses are on loopback only; telemetry of every library is off. Nothing here imports an engine: the services are
other programs.
"""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from channelscribe.local_stack.places import Places
from channelscribe.project import project_folder, python

LOOPBACK = "127.0.0.1"
STACKS: dict[str, tuple[str, ...]] = {
    "database": ("database",),
    "prefect": ("prefect",),
    "dask": ("dask-scheduler", "cpu-worker", "speech-worker"),
    "pools": ("pool-default", "pool-gpu"),
}
POOLS = {"default": 2, "gpu": 1}
"""Work pools that `channelscribe up` serves, and how many runs of each go on at once."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What the services need to know of the settings; travels to the keeper as JSON."""

    data_dir: str
    cpu_workers: int = 1
    cpu_worker_threads: int = 4
    concurrent_downloads: int = 2
    speech_threads: int = 0
    log_level: str = "INFO"
    database_url: str | None = None  # of a database that is not ours
    prefect_api_url: str | None = None  # of a Prefect API that is not ours
    prefect_port: int | None = None  # of the one that is


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the services answer; None for those that were not asked for."""

    database_url: str | None = None
    prefect_api_url: str | None = None
    scheduler: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        return asdict(self)


@dataclass(slots=True)
class Service:
    """One program to run: argument list, added environment, the log it writes to."""

    name: str
    argv: list[str]
    log: Path
    env: dict[str, str] = field(default_factory=dict)
    popen: dict[str, Any] = field(default_factory=dict)  # user, groups, working directory
    stop_signal: int = signal.SIGTERM


QUIET_LIBRARIES = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PYANNOTE_METRICS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def prefect_environment(places: Places, api_url: str) -> dict[str, str]:
    """The environment that makes every process use the one server at `api_url`, and no other."""
    return {
        **QUIET_LIBRARIES,
        "PREFECT_HOME": str(places.prefect),
        "PREFECT_API_URL": api_url,
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        # What the library logs during a run is shown with the run in the UI.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "channelscribe,tasks",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def prefect_server(places: Places, options: StackOptions) -> tuple[Service, str]:
    """The Prefect API and UI on SQLite in the data folder (PostgreSQL would need the extension pg_trgm).

    uvicorn is started directly: `prefect server start` is a second Python process around it.
    """
    port = options.prefect_port or free_port()
    url = f"http://{LOOPBACK}:{port}/api"
    argv = python("-m", "uvicorn", "--factory", "deployments.server:create_app")
    argv += ["--app-dir", str(project_folder())]
    argv += ["--host", LOOPBACK, "--port", str(port), "--timeout-keep-alive", "5", "--log-level", "warning"]
    argv += ["--timeout-graceful-shutdown", "1"]
    env = {
        **prefect_environment(places, url),
        "PREFECT_UI_API_URL": "/api",  # pages ask the server that they came from, and nobody else
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # Runs that ended 90 days ago go, with their logs and artifacts; without this they stay for good.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }
    return Service("prefect", argv, places.logs / "prefect-server.log", env), url


def speech_environment(threads: int) -> dict[str, str]:
    """All cores for the speech worker, and an allocator that keeps what it freed.

    Dask's nanny gives each worker one OpenMP thread and a fixed malloc trim threshold, whatever the environment says.
    A fixed threshold also stops glibc from raising the size above which it maps memory anew for every allocation, so
    tensors are mapped and unmapped all the time (mallopt(3), M_MMAP_THRESHOLD).
    """
    environment = {f"{name}_NUM_THREADS": threads for name in ("OMP", "MKL", "OPENBLAS")}
    environment |= {"MALLOC_ARENA_MAX": 1, "MALLOC_MMAP_THRESHOLD_": 32 << 20, "MALLOC_TRIM_THRESHOLD_": 1 << 30}
    return {"DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON": repr(environment)}


def dask_services(places: Places, options: StackOptions, worker_env: dict[str, str]) -> tuple[list[Service], str]:
    """A scheduler, CPU workers (resources CPU and NET) and one speech worker (resource GPU=1).

    The resources keep downloads and text off the speech worker, whose models stay loaded, and speech on it.
    """
    port = free_port()
    address = f"tcp://{LOOPBACK}:{port}"
    # Without a dashboard there is still an HTTP server for health and metrics, on all addresses unless told otherwise.
    quiet = ["--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0"]
    scheduler = python("-m", "distributed.cli.dask_scheduler", *quiet)
    scheduler += ["--host", LOOPBACK, "--port", str(port), "--no-jupyter"]
    worker = python("-m", "distributed.cli.dask_worker", address, *quiet)
    worker += ["--host", LOOPBACK, "--local-directory", str(places.scratch / "dask"), "--death-timeout", "60"]
    worker += ["--memory-limit", "0"]
    threads = options.cpu_worker_threads
    net = max(1, options.concurrent_downloads // options.cpu_workers)
    cpu = [*worker, "--name", "cpu", "--nworkers", str(options.cpu_workers), "--nthreads", str(threads)]
    cpu += ["--resources", f"CPU={threads} NET={net}"]
    speech = [*worker, "--name", "speech", "--nworkers", "1", "--nthreads", "1", "--resources", "GPU=1"]
    speech += ["--preload", "tasks.worker_setup"]
    cores = options.speech_threads or os.cpu_count() or 1
    env = {**worker_env, "CHANNELSCRIBE_LOG_LEVEL": options.log_level}
    services = [
        Service("dask-scheduler", scheduler, places.logs / "dask-scheduler.log", env),
        Service("cpu-worker", cpu, places.logs / "cpu-worker.log", env),
        Service("speech-worker", speech, places.logs / "speech-worker.log", {**env, **speech_environment(cores)}),
    ]
    return services, address


def pool_services(places: Places, env: dict[str, str]) -> list[Service]:
    """A worker of each work pool: it starts a process for each run of a deployment, with this environment."""
    services = []
    for pool, runs in POOLS.items():
        argv = python("-m", "prefect", "worker", "start", "--pool", pool, "--type", "process")
        argv += ["--name", f"laptop-{pool}", "--limit", str(runs), "--install-policy", "never"]
        services.append(Service(f"pool-{pool}", argv, places.logs / f"pool-{pool}.log", env))
    return services
