"""CPU seconds of a command over all processes that it starts, those that outlive it for a moment included. Linux only.

This process becomes the one that orphans go to (PR_SET_CHILD_SUBREAPER), so the kernel adds up all that has ended. Who
took how much is looked at five times a second, so a process that lives for less than that is in the sum alone.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psutil

LOOK_SECONDS = 0.2
PR_SET_CHILD_SUBREAPER = 36
SIGNS = {
    "ffmpeg": "ffmpeg",
    "local_stack.supervisor": "supervisor",
    "uvicorn": "Prefect server",
    "dask_scheduler": "Dask scheduler",
    "--name cpu-": "CPU worker",
    "--name speech": "speech worker",
    "pool_workers": "pool workers",
    "postgres": "PostgreSQL",
}
"""What a command line has in it, and what the process is."""


@dataclass
class Spent:
    """What a command took. `cpu` is the kernel's sum; `by` (CPU seconds) and `peak` (bytes, all together) were seen."""

    code: int
    out: str
    wall: float
    cpu: float
    by: dict[str, float] = field(default_factory=dict)
    peak: int = 0


def measure(argv: Sequence[str], env: Mapping[str, str]) -> Spent:
    """Run a command to its end, and to that of everything it left behind."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before, began = _ended(), time.monotonic()
    process = subprocess.Popen(argv, env=dict(env), stdout=subprocess.PIPE, text=True)
    spent = Spent(0, "", 0.0, 0.0)
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(spent, over), daemon=True)
    watcher.start()
    spent.out, _ = process.communicate()
    spent.code, spent.wall = process.returncode, time.monotonic() - began
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass
    over.set()
    watcher.join()
    spent.cpu = _ended() - before
    return spent


def _ended() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(spent: Spent, over: threading.Event) -> None:
    seen: dict[tuple[int, float], tuple[str, float]] = {}
    me = psutil.Process()
    while not over.wait(LOOK_SECONDS):
        memory = 0
        for process in me.children(recursive=True):
            try:
                times, born, line = process.cpu_times(), process.create_time(), " ".join(process.cmdline())
                memory += process.memory_info().rss
                if line:  # else it has ended
                    seen[process.pid, born] = (_what(line), times[0] + times[1])
            except psutil.Error:
                continue
        spent.peak = max(spent.peak, memory)
        by: dict[str, float] = defaultdict(float)
        for what, seconds in seen.values():
            by[what] += seconds
        spent.by = dict(by)


def _what(line: str) -> str:
    return next((what for sign, what in SIGNS.items() if sign in line), "the command")
