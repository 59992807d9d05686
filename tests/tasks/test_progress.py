"""Bars in the Prefect UI: of long work only, not too often, full at the end or with the reason why not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe.catalogue.stats import Progress
from channelscribe.local_stack import LocalStack
from tasks import artifacts
from tasks.artifacts import progress_key
from tests.tasks.test_engine import run

SCRIPT = """
import time
from prefect.runtime import flow_run, task_run
from tasks.artifacts import bar, followed, progress_key

def work(name, error=None, **pace):
    with bar(progress_key("recognize", "nowhere", name), f"recognize {name}", **pace) as fill:
        for share in (0.25, None, 0.5):
            fill(share)
        if error:
            raise error
    return str(task_run.id)

@task(name="long", persist_result=False)
def long():
    return work("long", first=0, between=0)

@task(name="fails", persist_result=False)
def fails():
    return work("fails", NoMedia("nothing"), first=0, between=0)

@task(name="short", persist_result=False)
def short():
    return work("short")

@flow(task_runner=OnDask())
def all_of_them():
    asked = []
    with followed("progress-sync-of-a-test", "sync of a test", lambda: asked.append(1) or 0.5, first=0, between=0.05):
        done = [submit("CPU", step) for step in (long, short)]
        failure_of([submit("CPU", fails)])
        ids = [future.result() for future in done]
        while not asked:
            time.sleep(0.01)
    return [str(flow_run.id), *ids]

print(json.dumps(all_of_them()))
"""


@pytest.mark.stack
def test_bars_are_with_their_runs(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    flow_run, _long, _short = run(SCRIPT, stack, data_dir, tmp_path)
    with (
        temporary_settings({PREFECT_API_URL: stack.addresses.prefect_api_url}),
        get_client(sync_client=True) as client,
    ):
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(flow_run)]))
        bars = {each.key: each for each in client.read_artifacts(artifact_filter=of_run) if each.key}
    assert {each.type for each in bars.values()} == {"progress"}
    fails = progress_key("recognize", "nowhere", "fails")
    assert set(bars) == {fails}  # what is done has none, and what was soon done never had
    assert (bars[fails].data, bars[fails].description) == (50, "recognize fails: failed (no_media)")
    assert bars[fails].task_run_id is not None


class Clock:
    """Time that passes when it is told to, and a server that writes down what it is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, broken: bool = False) -> None:
        self.now, self.broken = 100.0, broken
        self.sent: list[Any] = []
        monkeypatch.setattr(artifacts, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(artifacts, "get_client", lambda **_: self)
        monkeypatch.setattr(artifacts, "FlowRunContext", SimpleNamespace(get=self.context))

    def context(self) -> Any:
        return SimpleNamespace(flow_run=SimpleNamespace(id=uuid4()))

    def create_artifact(self, artifact: Any) -> Any:
        self.sent.append(artifact.data)
        if self.broken:
            raise ConnectionError("no server")
        return SimpleNamespace(id=uuid4())

    def update_artifact(self, _: UUID, artifact: Any) -> None:
        self.sent.append(artifact.data)
        if self.broken:
            raise ConnectionError("no server")

    def delete_artifact(self, _: UUID) -> None:
        self.sent.append("gone")

    def __enter__(self) -> Clock:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def work_for(clock: Clock, seconds: int) -> None:
    """Reports ten times a second."""
    with artifacts.bar("a-key", "work") as fill:
        for tenth in range(seconds * 10):
            fill(tenth / (seconds * 10))
            clock.now += 0.1


def test_a_bar_is_written_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    work_for(clock, 9)
    assert clock.sent == []
    work_for(clock, 60)
    *shares, last = clock.sent
    assert 9 <= len(shares) <= 11 and last == "gone"
    assert shares == sorted(shares)


def test_a_server_that_takes_none_costs_one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, broken=True)
    work_for(clock, 60)
    assert len(clock.sent) == 1


def test_a_server_that_was_away_hears_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with artifacts.bar("a-key", "work", first=0, between=0) as fill:
        fill(0.1)
        clock.broken = True
        for share in (0.2, 0.3, 0.4):
            fill(share)
        clock.broken = False
    assert clock.sent == [10, 20, "gone"]


def test_without_a_run_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(artifacts, "FlowRunContext", SimpleNamespace(get=lambda: None))
    work_for(clock, 60)
    assert clock.sent == []


def test_the_share_of_a_run_counts_what_is_begun() -> None:
    def at(step: str | None, fraction: float | None) -> Progress:
        return Progress(1, "s", "v", "t", "discovered", step, fraction, "o", datetime.now(UTC))

    assert artifacts.share_done(0, 0, []) is None
    assert artifacts.share_done(4, 0, []) == 1
    assert artifacts.share_done(2, 2, []) == 0.5
    assert artifacts.share_done(2, 0, [at(None, None), at("download", None)]) == 0
    assert artifacts.share_done(1, 0, [at("recognize", 0.5)]) == pytest.approx(2.5 / 8)
