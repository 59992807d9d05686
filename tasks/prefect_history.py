"""What a Prefect server remembers of a video, deleted: its pages, what its steps were called and logged, and the ended
runs whose parameters or own logs name it. A run that goes on is left, and told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterType,
    LogFilter,
    LogFilterTextSearch,
    TaskRunFilter,
    TaskRunFilterName,
)
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.exceptions import ObjectNotFound

from tasks.artifacts import forget_artifacts

__all__ = ["Forgotten", "forget_video"]

PAGE = 200
EVENTS = (
    "Prefect's events name it and may quote it, until the server's own time for them has passed (7 days by default)"
)
T = TypeVar("T")


@dataclass
class Forgotten:
    """How many pages and runs are gone; `left` says what is not, and why."""

    count: int = 0
    left: list[str] = field(default_factory=list)


def forget_video(site: str, video_id: str, wanted: re.Pattern[str]) -> Forgotten:
    """Delete what the server has of a video; `wanted` finds it in text (`retention.takedown.named`)."""
    done = Forgotten(forget_artifacts(site, video_id))
    with get_client(sync_client=True) as client:
        tables = ArtifactFilter(type=ArtifactFilterType(any_=["table", "markdown"]))
        for artifact in _all(lambda at: client.read_artifacts(artifact_filter=tables, limit=PAGE, offset=at)):
            if wanted.search(json.dumps([artifact.data, artifact.description], default=str)):
                client.delete_artifact(artifact.id)
                done.count += 1
        runs = {run.id: run for run in _all(lambda at: client.read_flow_runs(limit=PAGE, offset=at))}
        named = {run.id for run in runs.values() if wanted.search(json.dumps([run.name, run.parameters], default=str))}
        steps = TaskRunFilter(name=TaskRunFilterName(like_=video_id))
        for step in _all(lambda at: client.read_task_runs(task_run_filter=steps, limit=PAGE, offset=at)):
            if wanted.search(step.name) and _has_ended(step):
                client.delete_task_run(step.id)  # with what it logged
                done.count += 1
        named |= _logging_it(client, video_id, wanted)
        for run in (runs[each] for each in named if each in runs):
            _forget(client, run, done)
    done.left.append(EVENTS)
    return done


def _logging_it(client: SyncPrefectClient, video_id: str, wanted: re.Pattern[str]) -> set[UUID]:
    """Flow runs that name it in a line of their own."""
    text = LogFilter(text=LogFilterTextSearch(query=f'"{video_id}"'))
    lines = _all(lambda at: client.read_logs(log_filter=text, limit=PAGE, offset=at))
    return {
        line.flow_run_id
        for line in lines
        if line.flow_run_id is not None and line.task_run_id is None and wanted.search(line.message)
    }


def _forget(client: SyncPrefectClient, run: FlowRun, done: Forgotten) -> None:
    if not _has_ended(run):
        done.left.append(f"the run {run.name} goes on, and names it: do the same again when it has ended")
        return
    try:
        client.delete_flow_run(run.id)
        done.count += 1
    except ObjectNotFound:  # it went with the run that it was a part of
        pass


def _all(read: Callable[[int], list[T]]) -> Iterator[T]:
    """What the server has, read before anything of it is deleted: pages would move."""
    found: list[T] = []
    while page := read(len(found)):
        found += page
        if len(page) < PAGE:
            break
    return iter(found)


def _has_ended(run: FlowRun | TaskRun) -> bool:
    return run.state is None or run.state.is_final()
