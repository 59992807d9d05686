"""Submits tasks to Dask at a fraction of prefect-dask's cost, and without sending secrets.

prefect-dask sends all of Prefect's settings with every task (API keys among them), serializes and hashes them each
time, and builds them and an SSL context again for each task in the worker. Here the workers use their own settings,
which they have from the same environment or their own; the flow run's context is pickled once and unpickled once a
worker; a Dask key is the task run's id instead of a hash of everything. `make bench NAME=orchestration` compares.
Checked against prefect 3.8 and prefect-dask 0.3.7: the names taken from `prefect.context` are theirs to change.
"""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import certifi
import cloudpickle  # type: ignore[import-untyped]
from distributed import Future
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

from tasks.logs import tell_runs

__all__ = ["StepClient"]


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
