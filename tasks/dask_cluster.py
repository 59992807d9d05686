"""The Dask side of a run: the scheduler, configured or the local stack's, and the client that submits steps to it.

Submitting costs a fraction of what prefect-dask's client takes, and sends no secrets. That one sends all of Prefect's
settings with every task (API keys among them), serializes and hashes them each time, and builds them and an SSL
context again for each task in the worker. Here the workers use their own settings, which they have from their own
environment; the flow run's context is pickled once and unpickled once a worker; a Dask key is the task run's id instead
of a hash of everything. `make bench NAME=orchestration` compares. Checked against prefect 3.8 and prefect-dask 0.3.7:
the names taken from `prefect.context` are theirs to change.

Dask's scheduler unpickles what it schedules, and would import all that a step needs. So a step goes to it as bytes,
with the futures that it waits for beside them (`tasks.dask_step`).
"""

from __future__ import annotations

import copyreg
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import certifi
import cloudpickle  # type: ignore[import-untyped]
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
from prefect.settings import get_current_settings
from prefect.task_engine import run_task_sync
from prefect.tasks import Task
from prefect.utilities.engine import collect_task_run_inputs_sync
from prefect_dask.client import PrefectDaskClient
from prefect_dask.task_runners import DaskTaskRunner

from channelscribe.errors import ChannelscribeError, InvalidSetting
from channelscribe.local_stack import needed
from channelscribe.settings.options import DaskOptions
from tasks.dask_step import Awaited, run_packed
from tasks.logs import tell_runs
from tasks.resources import own_settings

__all__ = ["StepClient", "StepRunner", "configured_runner", "run_step", "tls"]


def _pickle_ours_alone(error: type[ChannelscribeError]) -> None:
    """Dask has tblib pickle exceptions with their causes and tracebacks, also those that were there before it.

    Prefect keeps a pickle of each failure, and what a site said unabridged, with its addresses, is not for keeping.
    """
    copyreg.dispatch_table.pop(error, None)
    for each in error.__subclasses__():
        _pickle_ours_alone(each)


_pickle_ours_alone(ChannelscribeError)


class StepRunner(DaskTaskRunner):
    """prefect-dask's runner with a client of our own."""

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


def configured_runner() -> StepRunner:
    """By address where one is set (`cluster=` objects are lost when Prefect duplicates a runner)."""
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
    """The scheduler of the local stack, with its CPU workers: started for this process, or shared with what runs."""
    yield str(needed(own_settings(), "dask").scheduler)


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
        awaited: list[Future[Any]] = []
        step = {
            "task": func,
            "task_run_id": run_id,
            "parameters": _without_futures(parameters, awaited),
            "wait_for": _without_futures(kwargs.get("wait_for"), awaited),
            "dependencies": inputs,
        }
        now = {"tags_context": _tags(), "asset_context": asset.serialize()}
        packed = cloudpickle.dumps((step, now))
        submitted: Any = super().submit(  # type: ignore[no-untyped-call]
            run_packed, packed, self._context(), *awaited, key=f"{func.name}-{run_id}"
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


def run_step(packed: bytes, context: bytes, awaited: Sequence[Any]) -> State[Any] | None:
    """In the worker: the task run, in the context of the run that submitted it. Returns its final state."""
    tell_runs(own_settings().log_level)
    step, now = cloudpickle.loads(packed)
    for name in ("parameters", "wait_for"):
        step[name] = _mapped(step[name], lambda each: awaited[each.number] if isinstance(each, Awaited) else each)
    with ExitStack() as stack:
        client = stack.enter_context(_client_context()).client
        stack.enter_context(hydrated_context({**_unpacked(context), **now}, client=client))
        return run_task_sync(**step, return_type="state")


def _without_futures(value: Any, awaited: list[Future[Any]]) -> Any:
    """The value with an `Awaited` for each future in it, which goes into the list."""

    def stand_in(each: Any) -> Any:
        if not isinstance(each, Future):
            return each
        awaited.append(each)
        return Awaited(len(awaited) - 1)

    return _mapped(value, stand_in)


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if type(value) is dict:
        return {key: _mapped(item, change) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(_mapped(item, change) for item in value)
    return change(value)


@lru_cache(maxsize=8)
def _unpacked(context: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = cloudpickle.loads(context)
    return loaded


def _tags() -> dict[str, Any]:
    tags = TagsContext.get()
    return tags.serialize() if tags else {}


def _client_context() -> SyncClientContext:
    """The step's client of the Prefect server, also for what asks for one without settings of its own."""
    context = SyncClientContext(_httpx_settings())
    context._httpx_settings = None
    return context


def _httpx_settings() -> dict[str, Any] | None:
    """One SSL context a process: reading the certificates takes as long as all the rest of a small task."""
    api = get_current_settings().api
    if api.tls_insecure_skip_verify:
        return None
    return {"verify": _verified(str(api.ssl_cert_file or certifi.where()))}


@lru_cache(maxsize=2)
def _verified(certificates: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates)
