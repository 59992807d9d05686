"""Service processes: started in groups of their own, stopped politely and then surely, found again after a crash."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

from channelscribe.local_stack.places import Places
from channelscribe.local_stack.services import Service
from channelscribe.project import environment

Running = tuple[Service, subprocess.Popen[bytes]]

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 10.0


def note_processes(places: Places, running: Iterable[Running]) -> None:
    """Write down pids with their start times, so that a later keeper can tell an orphan from a reused pid."""
    noted = []
    for service, process in running:
        with contextlib.suppress(psutil.Error):
            noted.append({"name": service.name, "pid": process.pid, "born": psutil.Process(process.pid).create_time()})
    places.noted_processes.write_text(json.dumps(noted))


def spawn(service: Service, folder: Path) -> subprocess.Popen[bytes]:
    """Start a service in `folder` and a process group of its own, output appended to its log."""
    service.log.parent.mkdir(parents=True, exist_ok=True)
    with service.log.open("ab") as log:
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": log,
            "env": environment({"PREFECT_API_KEY": None, **service.env}),
            "start_new_session": True,
            "preexec_fn": die_with_parent(service.stop_signal),
        }
        return subprocess.Popen(service.argv, **{"cwd": folder, **service.popen, **options})


def die_with_parent(number: int) -> Callable[[], None] | None:
    """A preexec function that has the kernel signal the child when its parent dies (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)

    return ask


def stop(services: list[Running]) -> None:
    """Signal all, wait together, then kill the process groups of those that did not go, and whatever they started."""
    offspring = [child for _, process in services for child in _offspring(process.pid)]
    for service, process in services:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(service.stop_signal)
    deadline = time.monotonic() + STOP_SECONDS
    for _, process in services:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    for _, process in services:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for child in offspring:
        # Runs of a work pool have groups of their own. psutil knows a pid that is somebody else's by now.
        with contextlib.suppress(psutil.Error):
            child.kill()


def _offspring(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def sweep_orphans(places: Places) -> None:
    """Stop what a killed keeper left behind, if the kernel has not already."""
    noted = places.noted_processes
    if not noted.exists():
        return
    for entry in json.loads(noted.read_text() or "[]"):
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            process = psutil.Process(entry["pid"])
            if abs(process.create_time() - entry["born"]) < 1:
                process.send_signal(signal.SIGINT if entry["name"] == "database" else signal.SIGTERM)
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                    continue
                os.killpg(process.pid, signal.SIGKILL)
    noted.unlink()
