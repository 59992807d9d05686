"""Budgets on a real Prefect server: nothing is asked without one, and provisioning again changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from tests.conftest import clean_environment

pytestmark = pytest.mark.stack

SCRIPT = """
import json
from prefect.client.orchestration import get_client
from channelscribe.errors import StackError
from channelscribe.settings import SourceOptions
from tasks.site_guard import provide_budgets, take_turn

options = SourceOptions(budgets={"a-site": 36000.0}, egress="test", pause_seconds=0)
try:
    take_turn("a-site", options)
    without = "went on"
except StackError as error:
    without = str(error)

seen = []
for rate in (36000.0, 36000.0, 18000.0):
    provide_budgets(options.model_copy(update={"budgets": {"a-site": rate}}))
    with get_client(sync_client=True) as client:
        limit = client.read_global_concurrency_limit_by_name("a-site-test")
    seen.append([str(limit.id), limit.limit, limit.slot_decay_per_second, str(limit.updated)])
take_turn("a-site", options)
take_turn("no-budget", options)
print(json.dumps({"without": without, "seen": seen}))
"""


def test_a_budget_is_strict_and_provisioned(stack: LocalStack, data_dir: Path) -> None:
    environment = clean_environment(data_dir) | prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    environment |= {"CHANNELSCRIBE_DATABASE__URL": stack.addresses.database_url or ""}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert "a-site-test" in found["without"]
    assert "channelscribe sync" in found["without"]
    first, again, changed = found["seen"]
    assert first == again
    assert first[:3] == [changed[0], 1, 10.0]
    assert changed[2] == 5.0
