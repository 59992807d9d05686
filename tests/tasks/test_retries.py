"""Tries that are spread: two steps that fail together are tried again at different times, and then succeed."""

from __future__ import annotations

import importlib
import pkgutil
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Failed
from prefect.tasks import Task

import tasks
from channelscribe.errors import NoMedia, SourceUnreachable
from channelscribe.local_stack import LocalStack
from tasks.caching import JITTER, RETRY_DELAYS, worth_retrying
from tests.tasks.test_engine import run

DELAYS = [0.4, 0.8]
SECONDS = 30  # until the server has heard of all states
FLAKY = f"""
import time
from prefect.runtime import task_run
from tasks.caching import RETRIES

AGAIN = {{**RETRIES, "retry_delay_seconds": {DELAYS}}}

@task(name="flaky", persist_result=False, **AGAIN)
def flaky(number):
    tries = count(f"flaky-{{number}}")
    if tries < 3:
        raise SourceUnreachable("away", remedy="Wait.")
    return [str(task_run.id), tries]

@task(name="gone", persist_result=False, **AGAIN)
def gone():
    count("gone")
    raise NoMedia("nothing", remedy="Look elsewhere.")

@flow(task_runner=OnDask())
def both():
    futures = [submit("CPU", flaky, number) for number in range(2)]
    error = failure_of([submit("CPU", gone)])
    return [[future.result() for future in futures], type(error).__name__, count("gone") - 1]

print(json.dumps(both()))
"""


@pytest.mark.long
@pytest.mark.stack
def test_two_steps_are_not_tried_again_together(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    done, error, tries_of_gone = run(FLAKY, stack, data_dir, tmp_path)
    assert [tries for _, tries in done] == [3, 3]
    assert (error, tries_of_gone) == ("NoMedia", 1)  # the terminal one, once
    with (
        temporary_settings({PREFECT_API_URL: stack.addresses.prefect_api_url}),
        get_client(sync_client=True) as client,
    ):
        waits = [waits_of(client, task_run) for task_run, _ in done]
    for each in waits:
        for wait, average in zip(each, DELAYS, strict=True):
            assert 0 < wait <= average * (1 + JITTER) + 0.01
    assert len({wait for each in waits for wait in each}) == 4, waits


def waits_of(client: SyncPrefectClient, task_run: str) -> list[float]:
    """Seconds that a task run was told to wait before each further try; it began none before they were over."""
    deadline = time.monotonic() + SECONDS
    while True:
        states = sorted(client.read_task_run_states(UUID(task_run)), key=lambda state: state.timestamp)
        if states and states[-1].is_completed():
            break
        assert time.monotonic() < deadline, states
        time.sleep(0.2)
    waits = []
    for state, following in pairwise(states):
        until = state.state_details.scheduled_time
        if state.name == "AwaitingRetry" and until is not None:
            waits.append((until - state.timestamp).total_seconds())
            assert following.timestamp >= until
    return waits


def test_all_steps_that_are_tried_again_are_spread() -> None:
    modules = [importlib.import_module(f"tasks.{each.name}") for each in pkgutil.iter_modules(tasks.__path__)]
    found = {each.name: each for module in modules for each in vars(module).values() if isinstance(each, Task)}
    again = {name: each for name, each in found.items() if each.retries}
    assert {"list-source", "download", "prepare", "recognize", "align", "diarize", "read", "publish"} <= set(again)
    for name, each in again.items():
        assert (each.retry_delay_seconds, each.retry_jitter_factor) == (RETRY_DELAYS, JITTER), name
        assert each.retry_condition_fn is worth_retrying, name


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SourceUnreachable("away"), True),
        (SourceUnreachable("away", not_before=datetime.now(UTC) - timedelta(hours=1)), True),
        (SourceUnreachable("away", not_before=datetime.now(UTC) + timedelta(hours=1)), False),
        (NoMedia("nothing"), False),
        (ZeroDivisionError(), False),
    ],
)
def test_what_the_error_says_decides(error: Exception, expected: bool) -> None:
    """A site that said when to come again is not asked before."""
    unused: Any = SimpleNamespace()
    assert worth_retrying(unused, unused, Failed(data=error)) is expected
