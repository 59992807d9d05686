"""What a step says in a Dask worker is found with its run in the Prefect UI: its own lines and the library's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import Log
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe.local_stack import LocalStack
from tests.tasks.test_engine import run

pytestmark = [pytest.mark.long, pytest.mark.stack]

WRONG = """
from prefect.runtime import flow_run
from tasks.resources import run_settings
runs = []

@flow
def wrong():
    runs.append(flow_run.id)
    run_settings({"speech.modle": "small"})

state = wrong(return_state=True)
print(json.dumps([runs[0], state.name, state.message]))
"""

SECONDS = 30  # until the lines of a worker have been sent
SAY = """
import logging
from distributed import get_worker
from prefect import get_run_logger
from prefect.runtime import flow_run, task_run

@task
def say(resource):
    get_run_logger().info("said by the task on %s", get_worker().name)
    logging.getLogger("channelscribe.sources.of_a_test").info("said by the library on %s", resource)
    logging.getLogger("tasks.of_a_test").warning("said by a step on %s", resource)
    logging.getLogger("somebody.else").error("said by another library")
    return [get_worker().name, task_run.id]

@flow(task_runner=OnDask())
def talking():
    return [flow_run.id, {resource: submit(resource, say, resource).result() for resource in ("CPU", "GPU")}]

print(json.dumps(talking()))
"""


def test_the_lines_of_a_worker_are_with_their_runs(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    flow_run, told = run(SAY, stack, data_dir, tmp_path)
    assert {worker.partition("-")[0] for worker, _ in told.values()} == {"cpu", "speech"}
    wanted = {
        (task_run, line)
        for resource, (worker, task_run) in told.items()
        for line in (
            f"said by the task on {worker}",
            f"said by the library on {resource}",
            f"said by a step on {resource}",
        )
    }
    said = lines_of(stack.addresses.prefect_api_url or "", flow_run, len(wanted))
    assert {(str(log.task_run_id), log.message) for log in said} == wanted


def test_a_wrong_setting_is_one_line_with_the_run(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    flow_run, state, message = run(WRONG, stack, data_dir, tmp_path)
    says = "There is no setting speech.modle (from run parameter). Did you mean speech.model?"
    assert (state, "\n" in message, says in message) == ("Failed", False, True)
    (said,) = lines_of(stack.addresses.prefect_api_url or "", flow_run, 1, "There is no setting")
    assert said.message == f"{says} `channelscribe config show` lists all. [unknown_setting]"


def lines_of(api_url: str, flow_run: str, count: int, begins: str = "said by") -> list[Log]:
    """What was said in a flow run, once there are so many lines of it that begin so."""
    of_run = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run]))
    deadline = time.monotonic() + SECONDS
    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        while True:
            said = [log for log in client.read_logs(of_run) if log.message.startswith(begins)]
            if len(said) >= count or time.monotonic() > deadline:
                return said
            time.sleep(0.2)
