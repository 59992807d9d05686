"""What it costs to have small tasks run by Prefect on Dask, against a thread pool, and against prefect-dask as it is.

    make bench NAME=orchestration
    .venv/bin/python -m benchmarks.orchestration TASKS SECONDS   # 60 of 1 second take four minutes

A is a flow of stub tasks that only sleep, on two Dask workers with one thread each, with a Prefect server of its own.
B is the same sleeps on a `ThreadPoolExecutor` of two. The tax is A over B, from the first submission to the last
result. A again with half and twice as many tasks tells whether the cost of one grows. Then both runners with tasks
that do nothing, A B A B: milliseconds a task, ours and stock's. The workers are warm: each has run some tasks before.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.report import print_report
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import free_port, prefect_environment
from channelscribe.settings import Settings

WORKERS = 2
TASKS, EMPTY, EMPTY_ROUNDS = 60, 100, 3
GOAL = {
    "orchestration.tax": "<= 1.05",
    "orchestration.four_times_as_many": "<= 4.4",
    "orchestration.seconds_per_empty_task": "<= 0.05",
}
FLOW = """
import json, os, sys, time
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect_dask import DaskTaskRunner
from tasks.dask_cluster import StepRunner

kind, tasks, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
runner = {"ours": StepRunner, "stock": DaskTaskRunner}[kind]

@task(cache_policy=NO_CACHE)
def stub(number):
    time.sleep(seconds)
    return number

@flow(task_runner=runner(address=os.environ["SCHEDULER"]), persist_result=False)
def stubs():
    for future in [stub.submit(-number) for number in range(8)]:
        future.wait()
    begun = time.perf_counter()
    futures = [stub.submit(number) for number in range(tasks)]
    for future in futures:
        future.wait()
    took = time.perf_counter() - begun
    assert [future.result() for future in futures] == list(range(tasks))
    return took

print(json.dumps(stubs()))
"""


@contextmanager
def workers(stack: LocalStack, folder: Path) -> Iterator[dict[str, str]]:
    """The environment of flows on two workers of one thread."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    quiet = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    engine = prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    environment = {**os.environ, **engine, "SCHEDULER": address}
    with ExitStack() as started, (folder / "dask.log").open("wb") as log:

        def start(module: str, *arguments: str) -> None:
            argv = [sys.executable, "-m", f"distributed.cli.{module}", *arguments, *quiet]
            process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
            started.callback(process.wait, 30)
            started.callback(process.terminate)

        start("dask_scheduler", "--port", str(port))
        for number in range(WORKERS):
            place = ["--local-directory", str(folder / f"worker-{number}")]
            start("dask_worker", address, "--nthreads", "1", "--memory-limit", "0", "--no-nanny", *place)
        yield environment


def on_dask(environment: dict[str, str], kind: str, tasks: int, seconds: float) -> float:
    """Seconds from the first submission to the last result."""
    argv = [sys.executable, "-c", FLOW, kind, str(tasks), str(seconds)]
    done = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def on_threads(tasks: int, seconds: float) -> float:
    begun = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(time.sleep, [seconds] * tasks))
    return time.perf_counter() - begun


def main(tasks: int = TASKS, seconds: float = 1.0) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-orchestration-") as name:
        folder = Path(name)
        with LocalStack(Settings(data_dir=folder / "data"), ["prefect"], command="benchmark") as stack:
            stack.wait_ready()
            with workers(stack, folder) as environment:
                report(tasks, seconds, lambda kind, count, each: on_dask(environment, kind, count, each))


def report(tasks: int, seconds: float, run: Callable[[str, int, float], float]) -> None:
    empty: dict[str, list[float]] = {"ours": [], "stock": []}
    for _ in range(EMPTY_ROUNDS):
        for kind, took in empty.items():
            took.append(run(kind, EMPTY, 0) / EMPTY)
    mine, threads = run("ours", tasks, seconds), on_threads(tasks, seconds)
    half, twice = run("ours", tasks // 2, seconds), run("ours", tasks * 2, seconds)
    each = {kind: statistics.median(took) for kind, took in empty.items()}
    rows = [
        [f"{tasks} tasks of {seconds:g} s, ours on Dask", f"{mine:.1f} s"],
        [f"{tasks} sleeps on a thread pool", f"{threads:.1f} s"],
        [f"{tasks // 2} and {tasks * 2} tasks, ours on Dask", f"{half:.1f} s, {twice:.1f} s"],
        *([f"an empty task, {kind}", f"{took * 1000:.0f} ms"] for kind, took in each.items()),
    ]
    figures = {
        "orchestration.tax": mine / threads,
        "orchestration.four_times_as_many": twice / half,
        "orchestration.seconds_per_empty_task": each["ours"],
        "orchestration.stock_over_ours": each["stock"] / each["ours"],
    }
    print_report("orchestration", ["what", "took"], rows, figures, GOAL)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else TASKS, float(given[1]) if given[1:] else 1.0)
