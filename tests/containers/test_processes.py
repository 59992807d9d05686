"""All services of compose.yaml as plain processes: TLS and authentication in front, and a sync through it all.

nginx and Prometheus are Debian's, PostgreSQL the wheel's; the S3 server is moto's over HTTP. Order matters: one stack
serves all.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest
import sqlalchemy
from distributed import Client
from packaging.version import Version
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import StoreOptions
from channelscribe.store import MediaStore
from tests.conftest import clean_environment
from tests.containers.compose_file import ROOT
from tests.containers.processes import Host, NotHere, needed
from tests.containers.test_compose import METRIC, expressions

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.long, pytest.mark.timeout(900)]

PROCESSES = [sys.executable, "-m", "tests.containers.processes"]
READY_SECONDS, LOOK_SECONDS = 300, 1
ON_SAMPLE = {
    "speech.model": "sample",
    "speech.beam_size": 1,
    "text.models": {"en": "sample"},
    "sources.allow_private_addresses": True,
}


@dataclass
class Running:
    """The stack in `folder`, whose script is `process`."""

    folder: Path
    process: subprocess.Popen[str]

    @property
    def told(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "services.json").read_text())
        return content

    @property
    def url(self) -> str:
        return str(self.told["url"])

    @property
    def auth(self) -> tuple[str, str]:
        user, _, password = self.told["auth"].partition(":")
        return user, password

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.told["certificate"])

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.tls, trust_env=False, timeout=60, **options)

    def again(self, service: str) -> subprocess.CompletedProcess[str]:
        argv = [*PROCESSES, str(self.folder), "--again", service]
        return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    try:
        for name in ("nginx", "prometheus", "openssl", "bash"):
            needed(name)
    except NotHere as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("services")
    environment = clean_environment(folder) | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*PROCESSES, str(folder)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        assert line, process.stderr.read() + logs(folder)
        yield Running(folder, process)
    finally:
        process.terminate()
        process.wait(90)


def logs(folder: Path) -> str:
    return "\n".join(f"--- {path.name}\n{path.read_text()[-1500:]}" for path in sorted((folder / "logs").glob("*.log")))


def test_the_door(running: Running) -> None:
    with running.client() as client:
        assert client.get("/healthz").status_code == 200
        # Everything of the API but its two signs of life is behind the authentication; the pages hold nothing.
        assert client.get("/api/health").status_code == 200
        assert client.post("/api/flow_runs/filter", json={}).status_code == 401
        assert client.post("/api/flow_runs/filter", json={}, auth=("admin", "guess")).status_code == 401
        assert client.post("/api/flow_runs/filter", json={}, auth=running.auth).status_code == 200
        page = client.get("/prefect/")
        assert "Prefect" in page.text
        assert page.headers["content-security-policy"].startswith("connect-src 'self'")
        assert client.get("/prefect/ui-settings").json()["api_url"] == "/api"
        # The reading room is at /, with a policy of its own.
        room = client.get("/")
        assert "channelscribe" in room.text
        assert room.headers.get_list("content-security-policy")[0].startswith("default-src 'none'")
        assert client.get("/api/v1/sources").json() == {"sources": []}
        # Figures are for Prometheus, with credentials or without; Grafana is not among the processes.
        assert client.get("/api/metrics", auth=running.auth).status_code == 404
        assert client.get("/grafana/").text == "Grafana does not run here (profile monitoring).\n"
        assert client.get("/grafana").headers["location"] == "/grafana/"
        # A slash too few is told with the address that the world knows.
        moved = client.get("/api/flows/?limit=1".replace("/flows/", "/flows"), auth=running.auth)
        assert "http://" not in moved.headers.get("location", "")
        # Parameters beyond nginx's usual megabyte get to Prefect, which decides.
        large = client.post("/api/flow_runs/filter", json={"x": "y" * (3 << 20)}, auth=running.auth)
        assert large.status_code != 413


def test_http_is_sent_on_and_an_unknown_certificate_not_believed(running: Running) -> None:
    host = running.told["addresses"]["nginx"]
    for port in (8080, 8443):
        sent = httpx.get(f"http://{host}:{port}/api/x?y=1", trust_env=False)
        assert sent.status_code == 308
        assert sent.headers["location"] == f"{running.url}/api/x?y=1"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(running.url, trust_env=False)


def test_events_go_through_the_door_both_ways(running: Running) -> None:
    address = running.url.replace("https", "wss") + "/api/events/"
    options: dict[str, Any] = {"subprotocols": ["prefect"], "ssl": running.tls, "proxy": None, "open_timeout": 60}
    with connect(address + "out", **options) as wrong:
        wrong.send(json.dumps({"type": "auth", "token": "admin:guess"}))
        with pytest.raises(ConnectionClosed):
            wrong.recv(timeout=30)
    name = f"channelscribe.test.{uuid4()}"
    event = {
        "id": str(uuid4()),
        "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "event": name,
        "resource": {"prefect.resource.id": "channelscribe.test"},
        "payload": {},
    }
    with connect(address + "out", **options) as listening, connect(address + "in", **options) as telling:
        for socket in (listening, telling):
            socket.send(json.dumps({"type": "auth", "token": running.told["auth"]}))
            assert json.loads(socket.recv(timeout=30))["type"] == "auth_success"
        wanted = {"event": {"name": [name]}, "occurred": {"since": "2020-01-01T00:00:00Z"}}
        listening.send(json.dumps({"type": "filter", "filter": wanted}))
        telling.send(json.dumps(event))
        heard = json.loads(listening.recv(timeout=60))
    assert heard["event"]["event"] == name


def test_what_is_set_up_is_set_up_once(running: Running) -> None:
    certificates = running.again("certificates")
    assert certificates.returncode == 0
    assert "all there" in certificates.stdout
    setup = running.again("setup")
    assert setup.returncode == 0, setup.stdout + setup.stderr
    assert "No change" in setup.stdout + setup.stderr
    assert "created" not in setup.stdout


def test_dask_speaks_to_nobody_without_a_certificate(running: Running) -> None:
    address = running.told["addresses"]["dask-scheduler"]
    with pytest.raises(OSError, match=r"(?i)time|clos|connect"):
        Client(f"tcp://{address}:8786", timeout=5)


def test_a_sync_from_outside(running: Running) -> None:
    """By `prefect deployment run` over https; speech is done by the pool `gpu`, the rest on Dask over TLS."""
    short = sorted((item for item in sample_items() if item.id != "interlude"), key=lambda item: item.duration)[:1]
    environment = clean_environment(running.folder / "outside") | {
        "PREFECT_HOME": str(running.folder / "outside"),
        "PREFECT_API_URL": f"{running.url}/api",
        "PREFECT_API_AUTH_STRING": running.told["auth"],
        "PREFECT_API_SSL_CERT_FILE": running.told["certificate"],
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        "NO_PROXY": "*",
    }
    argv = [sys.executable, "-m", "prefect", "deployment", "run", "sync-channel/channel-sync", "--watch"]
    with SampleServer(items=[replace(item, id=f"outside-{item.id}") for item in short]) as sample:
        request = {"source": sample.feed_url, "settings": ON_SAMPLE}
        done = subprocess.run(
            [*argv, "--watch-timeout", "500", "--param", "request=" + json.dumps(request)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr + logs(running.folder)
    with psycopg.connect(running.told["database"]) as connection:
        states = connection.execute("SELECT state FROM video").fetchall()
        stages = dict(connection.execute("SELECT stage, outcome FROM stage_run").fetchall())
        (segments,) = connection.execute("SELECT count(*) FROM segment").fetchone() or (0,)
    assert states == [("published",)]
    assert {stages[name] for name in ("download", "prepare", "recognize", "align", "publish")} == {"done"}
    assert segments
    store = store_of(running)
    files = store.list("transcriptions/")
    assert {Path(key).suffix for key in files} == {".txt", ".srt", ".vtt", ".tsv", ".json"}
    assert all(store.read_bytes(key) for key in files)
    with running.client(auth=running.auth) as client:
        runs = client.post("/api/flow_runs/filter", json={}).json()
    assert {run["work_pool_name"] for run in runs if run["state_type"] == "COMPLETED"} >= {"default", "gpu"}


def store_of(running: Running) -> MediaStore:
    """The S3 server's bucket, with the keys that the workers have."""
    host = Host(running.folder)
    service = host.services["orchestrator"]
    own = {name: host.here(service, value) for name, value in service.environment.items()}
    given = {
        name.removeprefix("CHANNELSCRIBE_STORE__").lower(): value
        for name, value in own.items()
        if name.startswith("CHANNELSCRIBE_STORE__")
    }
    options = StoreOptions.model_validate(given)
    return MediaStore(options.url or "", options)


def test_prometheus_sees_all_and_has_every_figure_that_is_named(running: Running) -> None:
    """After the sync, so that there are stages."""
    home = f"http://{running.told['addresses']['prometheus']}:9090/api/v1/"
    wanted = {name for _, expression in expressions() for name in METRIC.findall(expression)}
    wanted = {name for name in wanted if not name.startswith("DCGM_") and name != "ALERTS"}
    # No video failed, or is in work now.
    wanted -= {"channelscribe_failures", "channelscribe_running"}
    if "postgres-exporter" not in running.told["addresses"]:
        wanted = {name for name in wanted if not name.startswith("pg_")}
    until = time.monotonic() + 90
    while True:
        targets = httpx.get(home + "targets", trust_env=False).json()["data"]["activeTargets"]
        health = {target["labels"]["job"]: (target["health"], target["lastError"]) for target in targets}
        there = set(httpx.get(home + "label/__name__/values", trust_env=False).json()["data"])
        if ({how for how, _ in health.values()} == {"up"} and wanted <= there) or time.monotonic() > until:
            break
        time.sleep(LOOK_SECONDS)
    assert set(health) >= {"prefect", "dask-scheduler", "dask-worker", "channelscribe", "prometheus"}
    assert {how for how, _ in health.values()} == {"up"}, health
    assert wanted - there == set()
    stages = {stage for _, expression in expressions() for stage in re.findall(r'stage="(\w+)"', expression)}
    assert stages
    assert stages <= set(httpx.get(home + "label/stage/values", trust_env=False).json()["data"])
    for _, expression in expressions():
        asked = httpx.get(home + "query", params={"query": expression}, trust_env=False)
        assert asked.status_code == 200, (expression, asked.text)
    firing = httpx.get(home + "alerts", trust_env=False).json()["data"]["alerts"]
    assert [alert for alert in firing if alert["state"] == "firing"] == []


@pytest.mark.xfail(
    Version(sqlalchemy.__version__) >= Version("2.1"),
    reason="Prefect 3.8's scheduler cannot insert runs with SQLAlchemy 2.1 (hybrid attributes want `bulk_dml`)",
    strict=True,
)
def test_a_schedule_makes_runs(running: Running) -> None:
    with running.client(auth=running.auth) as client:
        deployment = client.get("/api/deployments/name/sweep/hourly-sweep").json()
        made = client.post(f"/api/deployments/{deployment['id']}/schedule", json={})
        wanted = {"deployments": {"id": {"any_": [deployment["id"]]}}}
        runs = client.post("/api/flow_runs/filter", json=wanted).json()
    assert made.status_code == 200
    assert "SCHEDULED" in {run["state_type"] for run in runs}


def test_no_secret_in_the_log_of_the_door(running: Running) -> None:
    password = running.auth[1]
    log = (running.folder / "logs/nginx.log").read_text()
    assert "/api/flow_runs/filter 200" in log
    assert password not in log
    assert base64.b64encode(running.told["auth"].encode()).decode() not in log
    assert "?" not in log


def test_a_signal_leaves_no_process(running: Running) -> None:
    started = psutil.Process(running.process.pid).children(recursive=True)
    assert len(started) > 10
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(90) == 0
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []
    assert list(started_in(running.folder)) == []


def started_in(folder: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get("STARTED_IN") == str(folder):
                yield process
        except psutil.Error:
            continue
