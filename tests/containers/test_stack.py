"""The images built and the whole stack run with Docker: `pytest -m long tests/containers/test_stack.py`.

From docs/containers.md, in its order: up, a sync of the sample channel through the door, up again, backup, away with
everything, restore. Needs a Docker engine with Compose (skipped without), the base images and PyPI, 20 GB of disk and
ten minutes, or half an hour where the images are built for the first time. The tests follow each other.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator

import pytest

from tests.containers.stack import Stack, no_engine

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

OURS = {"server", "orchestrator", "dask", "speech"}
PUBLISHED = "SELECT count(*) FROM video WHERE state = 'published'"
HEAVY = {
    "server": "channelscribe torch spacy",
    "orchestrator": "torch spacy imageio_ffmpeg",
    "dask": "torch",
    "speech": "",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if reason := no_engine():
        pytest.skip(reason)
    made = Stack(tmp_path_factory.mktemp("stack"))
    if made.stands_in:
        warnings.warn("the S3 server's image cannot be had here: moto's stands in", stacklevel=1)
    made.compose("build", "--quiet", seconds=3000)
    made.up()
    yield made
    made.down()


def in_image(role: str, script: str) -> str:
    command = [
        "docker",
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "sh",
        f"channelscribe-{role}:try",
        "-c",
        script,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def ask(stack: Stack, path: str, credentials: str | None = None) -> int:
    """The status of a GET through the door, whose certificate is looked at."""
    trusted = ssl.create_default_context(cafile=stack.certificate())
    connection = http.client.HTTPSConnection("localhost", stack.port, timeout=20, context=trusted)
    headers = {}
    if credentials:
        headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
    connection.request("GET", path, headers=headers)
    return connection.getresponse().status


@pytest.mark.parametrize("role", sorted(OURS))
def test_an_image_holds_its_role_and_nothing_that_built_it(stack: Stack, role: str) -> None:
    there = in_image(
        role, "for each in uv gcc cc make git; do command -v $each; done; ls -A /root/.cache /uv /wheel; id -u"
    )
    assert there.split() == ["1000"]
    absent = HEAVY[role].split()
    script = f"import importlib.util as u; print([n for n in {absent} if u.find_spec(n)])"
    assert in_image(role, f'python -c "{script}"').strip() == "[]"
    history = subprocess.run(
        ["docker", "history", "--no-trunc", f"channelscribe-{role}:try"], capture_output=True, text=True, check=True
    ).stdout
    assert not [
        value for name, value in stack.secrets.items() if name.endswith(("PASSWORD", "KEY")) and value in history
    ]


def test_flows_are_imported_without_what_only_other_images_have(stack: Stack) -> None:
    modules = "flows.sync_channel, flows.transcribe_audio, flows.retranscribe, flows.process_text, flows.sweep"
    assert in_image("orchestrator", f'python -c "import {modules}" && echo imported').strip() == "imported"


def test_containers_have_no_rights_and_only_the_door_a_port(stack: Stack) -> None:
    ids = stack.compose("ps", "--all", "--quiet").split()
    inspected = json.loads(subprocess.run(["docker", "inspect", *ids], capture_output=True, check=True).stdout)
    published = set()
    for each in inspected:
        service = each["Config"]["Labels"]["com.docker.compose.service"]
        if each["HostConfig"]["PortBindings"]:
            published.add(service)
        if service == "sample":
            continue  # the test's own
        assert each["HostConfig"]["ReadonlyRootfs"], service
        assert each["HostConfig"]["CapDrop"] == ["ALL"], service
        assert each["Config"]["User"] not in ("", "0", "root"), service
        assert each["HostConfig"]["Memory"] > 0, service
    assert published == {"nginx"}


def test_the_door(stack: Stack) -> None:
    known = f"{stack.secrets['PREFECT_USER']}:{stack.secrets['PREFECT_PASSWORD']}"
    assert ask(stack, "/healthz") == 200
    assert ask(stack, "/api/admin/version") == 401
    assert ask(stack, "/api/admin/version", "admin:wrong") == 401
    assert ask(stack, "/api/admin/version", known) == 200
    assert ask(stack, "/") == 200


def test_schedules_make_runs(stack: Stack) -> None:
    scheduled = "SELECT count(*) FROM flow_run WHERE state_type = 'SCHEDULED'"
    until = time.monotonic() + 180
    while stack.sql(scheduled, "prefect") == "0":
        assert time.monotonic() < until, "no run of sweep/hourly-sweep"
        time.sleep(5)


def test_a_sync_through_the_door_publishes(stack: Stack) -> None:
    stack.sync(1)
    assert stack.sql(PUBLISHED) == "1"
    objects = stack.compose(
        *("exec", "-T", "orchestrator", "python", "-c"),
        "from tasks.resources import store; print(*store().list('transcriptions'), sep='\\n')",
    ).split()
    assert {name.rpartition(".")[2] for name in objects} == {"txt", "srt", "vtt", "tsv", "json"}
    assert len(objects) == 5
    # Speech went to the pool of its own, everything else to the other.
    pools = "SELECT DISTINCT p.name FROM flow_run r JOIN work_queue q ON q.id = r.work_queue_id"
    pools += " JOIN work_pool p ON p.id = q.work_pool_id WHERE r.state_type = 'COMPLETED'"
    assert set(stack.sql(pools, "prefect").splitlines()) == {"default", "gpu"}


def test_up_again_changes_nothing(stack: Stack) -> None:
    # Where moto stands in for the S3 server it goes on: it would forget.
    running = stack.compose("ps", "--services").split()
    stack.compose("stop", "--timeout", "20", *(name for name in running if name != "s3" or not stack.stands_in))
    stack.up()
    told = stack.compose("logs", "--no-log-prefix", "--no-color", "setup", "certificates")
    assert "No change" in told
    assert "all there, and good" in told
    assert stack.sql(PUBLISHED) == "1"


def test_an_upgrade_changes_the_images_and_nothing_else(stack: Stack) -> None:
    stack.set("CHANNELSCRIBE_TAG", "try-next")
    stack.compose("build", "--quiet", seconds=3000)
    stack.compose("stop", "orchestrator", "dask-worker", "speech")
    stack.up()
    assert stack.compose("images", "orchestrator", "--format", "json").count("try-next") == 1
    assert stack.sql(PUBLISHED) == "1"


def test_backup_away_with_everything_and_restore(stack: Stack) -> None:
    before = stack.sql("SELECT video_id, state FROM video ORDER BY 1")
    runs = stack.sql("SELECT count(*) FROM flow_run", "prefect")
    owner = f"{stack.backup.stat().st_uid}:{stack.backup.stat().st_gid}"
    stack.compose("run", "--rm", "-T", "--user", owner, "backup")
    stack.dump("prefect", stack.folder / "prefect.dump")
    stack.down()

    stack.up()
    assert stack.sql("SELECT count(*) FROM video") == "0"
    stack.compose("run", "--rm", "-T", "--user", owner, "backup", "channelscribe", "restore", "/backup")
    stack.compose("stop", "orchestrator", "speech", "server")
    stack.restore_dump("prefect", stack.folder / "prefect.dump")
    stack.up()
    assert stack.sql("SELECT video_id, state FROM video ORDER BY 1") == before
    assert stack.sql("SELECT count(*) FROM flow_run", "prefect") >= runs

    # The library goes on from there: what was transcribed is not transcribed again.
    stack.sync(1)
    assert stack.sql(PUBLISHED) == "2"
    assert stack.sql("SELECT count(*), max(version) FROM transcript") == "2|1"
