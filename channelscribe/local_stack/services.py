"""What each service of the local stack is: its command line, its environment, how it is stopped and started again.

Addresses are on loopback only; telemetry of every library is off.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from channelscribe.errors import StackError
from channelscribe.local_stack.places import Places
from channelscribe.project import project_folder, python

LOOPBACK = "127.0.0.1"
STACKS = ("database", "prefect", "dask", "speech", "pools")
"""What a command asks for, in the order that one needs the other."""

WORKERS = frozenset(("dask", "speech", "pools"))
"""Those whose processes work with settings (store, database, cookies, tokens, ...): who shares them shares these."""

POOLS = {"default": 2, "gpu": 1}
"""Work pools that `channelscribe up` serves, and how many runs of each go on at once."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What the services need to know of the settings; a command sends it with what it asks for."""

    cpu_workers: int = 1
    cpu_worker_threads: int = 4
    concurrent_downloads: int = 2
    speech_threads: int = 0
    idle_minutes: float = 5.0
    log_level: str = "INFO"
    prefect_port: int | None = None
    room_port: int = 4300
    database_url: str | None = None  # of a database that is not ours
    prefect_api_url: str | None = None  # of a Prefect API that is not ours
    scheduler: str | None = None  # of a Dask scheduler that is not ours


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the services answer; None for those that were not asked for."""

    database_url: str | None = None
    prefect_api_url: str | None = None
    scheduler: str | None = None
    room_url: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        return asdict(self)


def digest(value: str) -> str:
    """Tells equal from different, and nothing else: it stands for a setting that may be a secret."""
    return hashlib.sha256(value.encode()).hexdigest()


@dataclass(slots=True)
class Service:
    """One program to run. Its output is appended to the log of its name.

    `env` is over the environment of the command that asked for it; None takes a variable away. What dies with the
    supervisor gets `last_signal` from the kernel (Linux).
    """

    name: str
    argv: list[str]
    env: Mapping[str, str | None] = field(default_factory=dict)
    popen: dict[str, Any] = field(default_factory=dict)  # user, groups, working directory
    where: str = ""  # the address it answers on, for people
    stop_signal: int = signal.SIGTERM
    last_signal: int = signal.SIGTERM
    is_worker: bool = False
    """Does what videos ask of it, which may kill it: it is started again at once, and more often."""


QUIET_LIBRARIES = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PYANNOTE_METRICS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def prefect_environment(places: Places, api_url: str, *, ours: bool = False) -> dict[str, str]:
    """The environment that makes every process use the one server at `api_url`, and no other; one of `ours` wants no
    tokens against forged requests, for which every new client would ask first.
    """
    return {
        **({"PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false"} if ours else {}),
        **QUIET_LIBRARIES,
        "PREFECT_HOME": str(places.prefect),
        "PREFECT_API_URL": api_url,
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        # Each process sends what it logged in so many seconds in one request, if there is anything; two by default.
        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "5",
        # What the library logs during a run is shown with the run in the UI.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "channelscribe,tasks",
    }


CALM_SERVER = {
    # Prefect's server looks for such things every 5 to 20 seconds, which is most of what it takes when nothing runs.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_TRIGGERS_PG_NOTIFY_HEARTBEAT_INTERVAL_SECONDS": "60",
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT30S",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def prefect_server(places: Places, port: int | None, database_url: str | None) -> tuple[Service, str]:
    """The Prefect API and UI: on the PostgreSQL at this URL, else on SQLite in the data folder.

    uvicorn is started directly: `prefect server start` is a second Python process around it. Raises StackError when
    the port is taken.
    """
    if port is not None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                raise StackError(
                    f"The Prefect server cannot have port {port}: {error.strerror}.",
                    remedy="Stop what listens there, or set prefect.port to another one (empty: any that is free).",
                ) from None
    port = port or free_port()
    url = f"http://{LOOPBACK}:{port}/api"
    argv = python("-m", "uvicorn", "--factory", "deployments.server:create_app")
    argv += ["--app-dir", str(project_folder())]
    argv += ["--host", LOOPBACK, "--port", str(port), "--timeout-keep-alive", "5", "--log-level", "warning"]
    argv += ["--timeout-graceful-shutdown", "1"]
    env: dict[str, str | None] = {
        **prefect_environment(places, url),
        **CALM_SERVER,
        "PREFECT_UI_API_URL": "/api",  # pages ask the server that they came from, and nobody else
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # Runs that ended 90 days ago go, with their logs and artifacts; without this they stay for good.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }
    if database_url:
        env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database_url.replace("postgresql:", "postgresql+asyncpg:", 1)
    return Service("prefect-server", argv, env, where=f"port {port}"), url


QUIET_DASK = {
    # Ticks of 20 ms and a profiler that looks at the stacks every 10 ms take 2 % of a core from a process that idles.
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
    "DASK_DISTRIBUTED__SCHEDULER__ACTIVE_MEMORY_MANAGER__START": "False",
}


def cores(count: int) -> dict[str, str]:
    """An environment in which numeric libraries take so many threads."""
    return {f"{name}_NUM_THREADS": str(count) for name in ("OMP", "MKL", "OPENBLAS")}


def dask_services(places: Places, options: StackOptions, env: dict[str, str]) -> tuple[list[Service], str]:
    """A scheduler and the CPU workers (resources CPU and NET). No nannies: the supervisor is one."""
    port = free_port()
    address = f"tcp://{LOOPBACK}:{port}"
    argv = [*_dask("scheduler"), "--host", LOOPBACK, "--port", str(port), "--no-jupyter"]
    where = f"port {port}"
    services = [Service("dask-scheduler", argv, {**env, **QUIET_DASK}, where=where, last_signal=signal.SIGKILL)]
    threads = options.cpu_worker_threads
    net = max(1, options.concurrent_downloads // options.cpu_workers)
    for number in range(options.cpu_workers):
        name = f"cpu-{number}"
        argv = [*_worker(places, address, name, threads), "--resources", f"CPU={threads} NET={net}"]
        log = "cpu-worker" if number == 0 else f"cpu-worker-{number}"
        services.append(_as_worker(log, argv, {**env, **cores(1)}))
    return services, address


def speech_worker(places: Places, options: StackOptions, env: dict[str, str], scheduler: str) -> Service:
    """One worker for speech (resource GPU=1), whose models stay loaded; what it loads at its start are the engines."""
    argv = [*_worker(places, scheduler, "speech", 1), "--resources", "GPU=1", "--preload", "tasks.worker_setup"]
    threads = options.speech_threads or os.cpu_count() or 1
    return _as_worker("speech-worker", argv, {**env, **cores(threads)})


def _dask(program: str, *arguments: str) -> list[str]:
    # Without a dashboard there is still an HTTP server for health and metrics, on all addresses unless told otherwise.
    quiet = ["--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0"]
    return python("-m", f"distributed.cli.dask_{program}", *arguments, *quiet)


def _worker(places: Places, scheduler: str, name: str, threads: int) -> list[str]:
    argv = [*_dask("worker", scheduler), "--host", LOOPBACK, "--name", name, "--nthreads", str(threads), "--no-nanny"]
    return [*argv, "--memory-limit", "0", "--death-timeout", "60", "--local-directory", str(places.scratch / "dask")]


def _as_worker(name: str, argv: list[str], env: dict[str, str]) -> Service:
    return Service(name, argv, {**env, **QUIET_DASK}, last_signal=signal.SIGKILL, is_worker=True)


def pool_workers(places: Places, env: dict[str, str]) -> Service:
    """One process that serves all work pools: it starts a process for each run of a deployment, as `env` says."""
    argv = python("-m", "deployments.pool_workers", *(f"{pool}={runs}" for pool, runs in POOLS.items()))
    return Service("pool-workers", argv, env)


def reading_room(port: int, env: dict[str, str]) -> tuple[Service, str]:
    """The reading room, on this port of loopback, or on any that is free where somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            port = free_port()
    argv = python("-m", "flows.cli", "serve", "--listen", f"{LOOPBACK}:{port}")
    return Service("reading-room", argv, env, where=f"port {port}"), f"http://{LOOPBACK}:{port}/"
