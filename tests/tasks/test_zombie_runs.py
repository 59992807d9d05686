"""Runs whose process was killed are closed by the sweep, on a real server; those that live are left alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling, Pending

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from tasks.zombie_runs import HEARTBEAT, LOST_AFTER, NOT_STARTED_AFTER, close_lost, going_on, has_heartbeat
from tests.conftest import Ended, clean_environment, command

pytestmark = [pytest.mark.long, pytest.mark.stack]

FLOW = "lost-runs-of-the-tests"
LIVES = f"""
import time
from prefect import flow
from prefect.runtime import flow_run

@flow(name="{FLOW}", persist_result=False)
def lives():
    print(flow_run.id, flush=True)
    time.sleep(600)

lives()
"""
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def server(stack: LocalStack) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: stack.addresses.prefect_api_url}), get_client(sync_client=True) as client:
        yield client


def run_id(process: subprocess.Popen[str]) -> UUID:
    assert process.stdout is not None
    return UUID(process.stdout.readline().strip())


def until(is_so: object) -> None:
    """Wait; the tests' own time limit ends it."""
    while not is_so():  # type: ignore[operator]
        time.sleep(0.2)


def test_the_run_of_a_killed_process_is_closed_and_no_other(stack: LocalStack, server: SyncPrefectClient) -> None:
    begun = datetime.now(UTC)
    environment = clean_environment(stack.places.data)
    environment |= prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    argv = [sys.executable, "-c", LIVES]
    processes = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        killed, living = (server.read_flow_run(run_id(process)) for process in processes)
        until(lambda: all(has_heartbeat(server, run, begun, begun) for run in (killed, living)))
        processes[0].kill()
        processes[0].wait()

        silent_since = datetime.now(UTC)
        # The next one of its own would come in 180 s.
        emit_event(event=HEARTBEAT, resource={"prefect.resource.id": f"prefect.flow-run.{living.id}"})
        EventsWorker.drain_all(timeout=10)
        until(lambda: has_heartbeat(server, living, silent_since, silent_since))

        now = silent_since + LOST_AFTER
        assert close_lost([], silent_since, delete=True, flows=[FLOW]) == []  # both gave a heartbeat a moment ago
        (would,) = close_lost([], now, delete=False, flows=[FLOW])
        assert str(killed.id) in would and killed.name in would and "Running" in would
        assert close_lost([str(killed.id)], now, delete=True, flows=[FLOW]) == []  # it renews a lease
        assert server.read_flow_run(killed.id).state_name == "Running"
        assert close_lost([], now, delete=True, flows=[FLOW]) == [would]
        closed = server.read_flow_run(killed.id).state
        assert closed is not None and closed.name == "Crashed" and "killed" in (closed.message or "")
        assert close_lost([], now, delete=True, flows=[FLOW]) == []
        assert server.read_flow_run(living.id).state_name == "Running"
    finally:
        for process in processes:
            process.kill()
            process.communicate()
        for run in going_on(server, [FLOW]):
            server.delete_flow_run(run.id)


def test_what_never_started_and_what_was_to_be_cancelled(server: SyncPrefectClient) -> None:
    from prefect import flow

    run = server.create_flow_run(flow(name=f"{FLOW}-pending")(lambda: None), state=Pending())
    flows, soon, late = [f"{FLOW}-pending"], timedelta(seconds=5), NOT_STARTED_AFTER + timedelta(seconds=5)
    now = datetime.now(UTC)
    assert close_lost([], now + LOST_AFTER + soon, delete=True, flows=flows) == []
    assert len(close_lost([], now + late, delete=False, flows=flows)) == 1
    server.set_flow_run_state(run.id, Cancelling(), force=True)
    assert len(close_lost([], now + LOST_AFTER + soon, delete=True, flows=flows)) == 1
    assert server.read_flow_run(run.id).state_name == "Cancelled"


@pytest.mark.parametrize("answers", [True, False])
def test_the_command_does_the_rest_without_a_prefect_server(stack: LocalStack, answers: bool) -> None:
    schema.migrate(Database(stack.addresses.database_url or ""))
    environment = clean_environment(stack.places.data)
    environment["CHANNELSCRIBE_DATABASE__URL"] = stack.addresses.database_url or ""
    if not answers:
        environment["CHANNELSCRIBE_PREFECT__API_URL"] = "http://127.0.0.1:9/api"
    done = subprocess.run(
        command("sweep", "--json"), env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    ended = Ended(done.returncode, done.stdout, done.stderr)
    assert ended.code == 0, str(ended)
    assert (json.loads(done.stdout)["lost_runs"] is None) is not answers
    assert ("no lost run is closed" in done.stderr) is not answers
    assert json.loads(done.stdout)["deleted"] is False
