"""`channelscribe up` on a data folder of its own: pools served, found by a second one, gone after Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.conftest import clean_environment, command, run_command

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.timeout(300)]


def workers(data: Path) -> list[str]:
    """Command lines of processes that serve pools for this data folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        environment = process.info["environ"] or {}
        if "deployments.pool_workers" in line and environment.get("CHANNELSCRIBE_DATA_DIR") == str(data):
            found.append(line)
    return sorted(found)


def test_up_stays_until_it_is_told_to_stop(tmp_path_factory: pytest.TempPathFactory) -> None:
    data_dir = tmp_path_factory.mktemp("up")
    running = subprocess.Popen(
        command("up", "--json"),
        env=clean_environment(data_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    line = running.stdout.readline()
    assert line, running.wait(60)
    first = json.loads(line)
    assert first["already_up"] is False
    assert [line.split()[-2:] for line in workers(data_dir)] == [["default=2", "gpu=1"]]
    with temporary_settings({PREFECT_API_URL: first["api"]}), get_client(sync_client=True) as server:
        names = {f"{each.entrypoint}" for each in server.read_deployments()}
        online = [worker.status for pool in ("default", "gpu") for worker in server.read_workers_for_work_pool(pool)]
    assert "flows.sync_channel.sync_channel" in names
    assert "ONLINE" in online
    with urllib.request.urlopen(first["room"], timeout=60) as page:
        assert b"channelscribe sync URL" in page.read()

    second = run_command(data_dir, "up", "--json")
    assert second.json == {**first, "already_up": True}
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    running.stdout.close()
    assert workers(data_dir) == []
