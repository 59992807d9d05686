"""Where tasks run: the configured Dask scheduler, or that of the local stack.

Submitting costs a fraction of what prefect-dask's client takes, and sends no secrets. That one sends all of Prefect's
settings with every task (API keys among them), serializes and hashes them each time, and builds them and an SSL
context again for each task in the worker. Here the workers use their own settings, which they have from their own
environment; the flow run's context is pickled once and unpickled once a worker; a Dask key is the task run's id instead
of a hash of everything. `make bench NAME=orchestration` compares. Checked against prefect 3.8 and prefect-dask 0.3.7:
the names taken from `prefect.context` are theirs to change.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from typing import Any, Literal, TypeVar
from uuid import UUID, uuid4

import certifi
import cloudpickle  # type: ignore[import-untyped]
import dask.base as dask
from distributed import Future
from distributed.security import Security
from prefect.client.schemas.objects import State
from prefect.context import (
    AssetContext,
    EngineContext,
    SyncClientContext,
    TagsContext,
    TaskRunContext,
    hydrated_context,
)
from prefect.futures import PrefectFuture
from prefect.settings import get_current_settings
from prefect.task_engine import run_task_sync
from prefect.tasks import Task
from prefect.utilities.engine import collect_task_run_inputs_sync
from prefect_dask.client import PrefectDaskClient
from prefect_dask.task_runners import DaskTaskRunner

from channelscribe.errors import InvalidSetting
from channelscribe.local_stack import needed
from channelscribe.settings.options import DaskOptions
from tasks.resources import own_settings

__all__ = ["Resource", "StepClient", "StepRunner", "dask_task_runner", "submit", "tell_runs", "tls"]

LOGGERS = ("channelscribe", "tasks")

Resource = Literal["CPU", "NET", "GPU"]
R = TypeVar("R")


class StepRunner(DaskTaskRunner):
    """prefect-dask's runner with a client of our own (`tasks.dask_runner`)."""

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
    cluster: Any = local_cluster
    return StepRunner(cluster_class=cluster)


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


@contextmanager
def local_cluster(**_: Any) -> Iterator[str]:
    """The scheduler of the local stack, with its workers: started for this process, or shared with what runs."""
    yield str(needed(own_settings(), "dask", "speech").scheduler)


def submit(resource: Resource, step: Task[..., R], *arguments: Any, fresh: bool = False) -> PrefectFuture[R]:
    """Submit a step to the workers that have the resource: "CPU", "NET" (downloads) or "GPU" (speech).

    Arguments may be futures of other steps: this one starts when they are there. What is `fresh` goes first, whichever
    run it is of.
    """
    with dask.annotate(resources={resource: 1}, priority=int(fresh)):
        submitted: PrefectFuture[R] = step.submit(*arguments)
    return submitted


class StepClient(PrefectDaskClient):
    """What the task runner submits with. Async tasks, of which we have none, go prefect-dask's own way."""

    _packed: tuple[UUID | None, bytes] | None = None

    def submit(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """A Dask future with the attribute `task_run_id`, as prefect-dask's runner wants it."""
        if not isinstance(func, Task) or func.isasync or "parameters" not in kwargs:
            return super().submit(func, *args, **kwargs)  # type: ignore[no-untyped-call]
        parameters, known = kwargs["parameters"], kwargs.get("dependencies") or {}
        run_id = uuid4()
        inputs = {
            name: collect_task_run_inputs_sync(value, future_cls=Future) | known.get(name, set())
            for name, value in parameters.items()
        }
        asset = AssetContext.from_task_and_inputs(
            task=func, task_run_id=run_id, task_inputs=inputs, copy_to_child_ctx=True
        )
        submitted: Any = super().submit(  # type: ignore[no-untyped-call]
            run_step,
            func,
            key=f"{func.name}-{run_id}",
            run_id=run_id,
            parameters=parameters,
            wait_for=kwargs.get("wait_for"),
            inputs=inputs,
            packed=self._context(),
            now={"tags_context": _tags(), "asset_context": asset.serialize()},
        )
        submitted.task_run_id = run_id
        return submitted

    def _context(self) -> bytes:
        """The run that submits, pickled: the same for all its tasks."""
        flow, task = EngineContext.get(), TaskRunContext.get()
        run = flow.flow_run.id if flow and flow.flow_run else None
        if task is not None or self._packed is None or self._packed[0] != run:
            context = {
                "flow_run_context": flow.serialize() if flow else {},
                "task_run_context": task.serialize() if task else {},
            }
            self._packed = (None if task else run, cloudpickle.dumps(context))
        return self._packed[1]


def run_step(
    task: Task[..., Any],
    *,
    run_id: UUID,
    parameters: dict[str, Any],
    wait_for: Any,
    inputs: dict[str, set[Any]],
    packed: bytes,
    now: dict[str, Any],
) -> State[Any] | None:
    """In the worker: the task run, in the context of the run that submitted it. Returns its final state."""
    tell_runs()
    with ExitStack() as stack:
        client = stack.enter_context(SyncClientContext(_httpx_settings())).client
        stack.enter_context(hydrated_context({**_unpacked(packed), **now}, client=client))
        return run_task_sync(
            task,
            task_run_id=run_id,
            parameters=parameters,
            wait_for=wait_for,
            dependencies=inputs,
            return_type="state",
        )


@lru_cache(maxsize=8)
def _unpacked(packed: bytes) -> dict[str, Any]:
    context: dict[str, Any] = cloudpickle.loads(packed)
    return context


def _tags() -> dict[str, Any]:
    tags = TagsContext.get()
    return tags.serialize() if tags else {}


def _httpx_settings() -> dict[str, Any] | None:
    """One SSL context a process: reading the certificates takes as long as all the rest of a small task."""
    api = get_current_settings().api
    if api.tls_insecure_skip_verify:
        return None
    return {"verify": _verified(str(api.ssl_cert_file or certifi.where()))}


@lru_cache(maxsize=2)
def _verified(certificates: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates)


@cache
def tell_runs() -> None:
    """Once a process: our loggers have the level of `log_level`, where nobody gave them one.

    Prefect gives the loggers of PREFECT_LOGGING_EXTRA_LOGGERS its handler but no level: in a worker they have the
    root's, which is WARNING, and the lines of the library would be seen only where the command line had set another.
    """
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(own_settings().log_level)
