"""The laptop's Prefect server: its pages tell nobody else, and its schedules make runs."""

from __future__ import annotations

import time
import urllib.request
from datetime import timedelta
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import IntervalSchedule

from channelscribe.local_stack import LocalStack

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("page", ["/", "/v2", "/runs"])
def test_pages_may_talk_to_their_own_server_only(stack: LocalStack, page: str) -> None:
    root = (stack.addresses.prefect_api_url or "").removesuffix("/api")
    request = urllib.request.Request(root + page, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert "text/html" in answer.headers["Content-Type"]
        assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.long
def test_a_schedule_makes_runs(server: SyncPrefectClient) -> None:
    """Prefect 3.8 with SQLAlchemy 2.1 makes none and says so only in the server's log."""
    flow = server.create_flow_from_name(f"scheduled-{uuid4().hex}")
    every_hour = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(hours=1)), active=True)
    deployment = server.create_deployment(flow, "scheduled", schedules=[every_hour])
    wanted = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    deadline = time.monotonic() + 120
    while not (runs := server.read_flow_runs(deployment_filter=wanted)):
        assert time.monotonic() < deadline
        time.sleep(1)
    assert {run.state_type for run in runs} == {StateType.SCHEDULED}
    server.delete_deployment(deployment)
