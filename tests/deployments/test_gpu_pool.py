"""A sync whose speech is done by the work pool `gpu`: both runs are started by process workers, as on a server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from prefect.client.orchestration import SyncPrefectClient

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings
from deployments.provision import provision
from tests.conftest import clean_environment

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.long, pytest.mark.timeout(400)]

# One beam: the shared store has what the other tests made of these episodes, but not that.
ON_SAMPLE = {
    "speech.model": "sample",
    "speech.beam_size": 1,
    "text.models": {"en": "sample"},
    "sources.allow_private_addresses": True,
}
RUN = [sys.executable, "-m", "prefect", "deployment", "run", "sync-channel/channel-sync"]
MADE = """
SELECT video_id, stage, outcome, worker FROM stage_run JOIN video ON video.id = video_pk
WHERE video.url LIKE %s ORDER BY stage_run.id
"""


@pytest.fixture(scope="module")
def environment(stack: LocalStack, data_dir: Path) -> dict[str, str]:
    """That of both workers: where everything is, but for the Dask cluster."""
    addresses = stack.addresses
    return {
        **clean_environment(data_dir),
        **prefect_environment(stack.places, addresses.prefect_api_url or ""),
        "CHANNELSCRIBE_DATABASE__URL": addresses.database_url or "",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }


@pytest.fixture(scope="module")
def workers(
    server: SyncPrefectClient,
    stack: LocalStack,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    schema.migrate(Database(stack.addresses.database_url or ""))
    provision(Settings())
    folder = tmp_path_factory.mktemp("workers")
    own = {
        "default": {
            "CHANNELSCRIBE_DASK__SCHEDULER": stack.addresses.scheduler or "",
            "CHANNELSCRIBE_PREFECT__GPU_DEPLOYMENT": "transcribe-audio/gpu-transcription",
            "CHANNELSCRIBE_PREFECT__GPU_RUNS": "2",
        },
        "gpu": {},
    }
    with ExitStack() as started:
        for pool, more in own.items():
            argv = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
            log = started.enter_context((folder / f"{pool}.log").open("wb"))
            running = subprocess.Popen(argv, env={**environment, **more}, cwd=folder, stdout=log, stderr=log)
            started.callback(stop, running)
        yield


def stop(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(10)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def test_a_sync_by_deployment_is_transcribed_by_the_gpu_pool(
    workers: None, server: SyncPrefectClient, environment: dict[str, str], stack: LocalStack
) -> None:
    short = min((item for item in sample_items() if item.id != "interlude"), key=lambda item: item.duration)
    with SampleServer(items=[replace(short, id="by-the-pool")]) as sample:
        request = {"source": sample.feed_url, "settings": ON_SAMPLE}
        done = subprocess.run(
            [*RUN, "--param", "request=" + json.dumps(request), "--watch", "--watch-timeout", "300"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=330,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with psycopg.connect(stack.addresses.database_url or "") as connection:
            made = connection.execute(MADE, [f"{sample.url}%"]).fetchall()
            states = connection.execute("SELECT state FROM video WHERE url LIKE %s", [f"{sample.url}%"]).fetchall()
    assert states == [("published",)]
    shared = {worker for _, stage, _, worker in made if stage == "download"}
    speech = {worker for _, stage, _, worker in made if stage in ("recognize", "align", "diarize")}
    assert len(speech) == 1, made
    assert not speech & shared
    (child,) = [run for run in server.read_flow_runs() if run.work_pool_name == "gpu"]
    assert child.state_name == "Completed"
    assert child.parent_task_run_id
    assert (child.idempotency_key or "").endswith("-1-1")
