"""Caching, retries and failures as Prefect and Dask really do them, on the shared stack.

The steps here are small ones of the test's own, decorated as ours are; each script is a process of its own, as a
command is, because Prefect reads its settings when it is imported.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from tests.conftest import clean_environment

pytestmark = pytest.mark.stack

HEAD = """
import json, os, sys
from pathlib import Path
from prefect import flow, task
from channelscribe.errors import NoMedia, SourceUnreachable
from functools import partial
from tasks.batching import failure_of, settle
from tasks.caching import ContentPolicy, remembered, worth_retrying
from tasks.dask_runner import OnDask, submit
folder = Path(sys.argv[1])

def count(name):
    with (folder / name).open("a") as file:
        file.write("x")
    return (folder / name).stat().st_size
"""

CACHE = """
SQUARE = ContentPolicy(step="square-of-a-test", version=1, parts=lambda given: (given["number"],))

@remembered(SQUARE)
def square(number, noise):
    count(f"square-{number}")
    return number * number

@flow(task_runner=OnDask())
def squares(noise):
    return [submit("CPU", square, number, noise).result() for number in (2, 3)]

first, second = squares("a"), squares("b")
print(json.dumps([first, second, count("square-2") - 1, count("square-3") - 1]))
"""

RETRY = """
def failing(name, error):
    @task(name=name, retries=2, retry_delay_seconds=[0, 0], retry_condition_fn=worth_retrying)
    def step():
        count(name)
        raise error
    return step

transient = failing("transient", SourceUnreachable("away", remedy="Wait."))
final = failing("final", NoMedia("nothing", remedy="Look elsewhere."))
unknown = failing("unknown", ZeroDivisionError("x"))

@flow(task_runner=OnDask())
def all_three():
    chains = [[submit("CPU", step)] for step in (transient, final, unknown)]
    return [[type(error).__name__, str(error)] for error in map(failure_of, chains)]

errors = all_three()
print(json.dumps([errors, [count(name) - 1 for name in ("transient", "final", "unknown")]]))
"""

DEATH = """
@task
def dies():
    os._exit(9)

@task
def lives(number):
    return number

def chain(step, *arguments):
    first = submit("CPU", step, *arguments)
    return [first, submit("GPU", lives, first)]

@flow(task_runner=OnDask())
def one_dies():
    starts = [partial(chain, lives, 1), partial(chain, dies), partial(chain, lives, 7)]
    first = [start() for start in starts]
    ended = [settle(*both) for both in zip(first, starts)]
    return [[error and type(error).__name__, error and error.remedy, error is None and last[-1].result()]
            for last, error in ended]

print(json.dumps(one_dies()))
"""


FRESH = """
import time

@task
def blocks():
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)

@task
def heard(name):
    with (folder / "order").open("a") as file:
        file.write(f"{name} ")

@flow(task_runner=OnDask())
def backlog_and_today():
    first = submit("GPU", blocks)
    while not (folder / "begun").exists():
        time.sleep(0.02)
    later = [submit("GPU", heard, f"old-{number}") for number in range(3)]
    later.append(submit("GPU", heard, "today", fresh=True))
    while later[0].wrapped_future.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) < 5:
        time.sleep(0.02)
    (folder / "go").touch()
    for each in [first, *later]:
        each.wait()

backlog_and_today()
print(json.dumps((folder / "order").read_text().split()))
"""


LOCAL = """
import psutil
from distributed import get_worker

@task
def place(resource):  # the argument keeps Prefect from taking one call for another
    listening = [c.laddr.ip for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return [sorted(get_worker().state.total_resources), sorted(set(listening))]

@flow(task_runner=OnDask())
def places():
    return [submit(resource, place, resource).result() for resource in ("CPU", "NET", "GPU")]

print(json.dumps(places()))
"""


def run(script: str, stack: LocalStack, data_dir: Path, folder: Path, *, local: bool = False) -> Any:
    """The JSON that the script prints last; `local`: no scheduler is configured."""
    environment = clean_environment(data_dir) | prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    environment["CHANNELSCRIBE_DASK__SCHEDULER"] = "" if local else stack.addresses.scheduler or ""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + script, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_equal_content_is_never_computed_twice(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    beside = stack.places.prefect / "storage"  # Prefect's own place for results; flows of other tests may use it
    before = sorted(beside.rglob("*"))
    assert run(CACHE, stack, data_dir, tmp_path) == [[4, 9], [4, 9], 1, 1]
    # Nor by another process, later.
    assert run(CACHE, stack, data_dir, tmp_path)[2:] == [2, 2]  # the counting itself adds one
    # The store has it, and nothing of it is beside the store.
    assert len(list((data_dir / "library/results/square-of-a-test").glob("*.json"))) == 2
    assert sorted(beside.rglob("*")) == before


def test_only_transient_failures_are_tried_again(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    errors, tries = run(RETRY, stack, data_dir, tmp_path)
    assert [name for name, _ in errors] == ["SourceUnreachable", "NoMedia", "ZeroDivisionError"]
    assert errors[0][1] == "away Wait."
    assert tries == [3, 1, 1]


@pytest.mark.long
def test_a_step_that_kills_its_worker_fails_alone(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    before, culprit, after = run(DEATH, stack, data_dir, tmp_path)
    assert culprit[0] == "WorkerDied"
    assert "memory" in culprit[1]
    assert (before, after) == ([None, None, 1], [None, None, 7])


def test_without_a_scheduler_a_flow_uses_the_local_stack(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    cpu, net, gpu = run(LOCAL, stack, data_dir, tmp_path, local=True)
    assert cpu == net == [["CPU", "NET"], ["127.0.0.1"]]
    assert gpu == [["GPU"], ["127.0.0.1"]]


def test_todays_episode_does_not_wait_behind_a_backlog(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    assert run(FRESH, stack, data_dir, tmp_path)[0] == "today"
