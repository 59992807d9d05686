"""The command line of docs/operating.md that CI runs: its exit code is the run's.

A process worker serves the pool `default` and starts the runs, as on a server.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings
from channelscribe.settings.travel import VARIABLE
from deployments.provision import provision
from tests.conftest import clean_environment, command

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.timeout(600)]

DOC = (Path(__file__).parent.parent.parent / "docs" / "operating.md").read_text(encoding="utf-8")
ON_SAMPLE = {"speech.model": "sample", "text.models": {"en": "sample"}, "sources.allow_private_addresses": True}
ENDS = {True: (0, "Completed"), False: (1, "Failed")}


@pytest.fixture(scope="module")
def environment(stack: LocalStack, data_dir: Path) -> dict[str, str]:
    """That of a worker: where everything is."""
    addresses = stack.addresses
    return {
        **clean_environment(data_dir),
        **prefect_environment(stack.places, addresses.prefect_api_url or ""),
        "CHANNELSCRIBE_DATABASE__URL": addresses.database_url or "",
        "CHANNELSCRIBE_DASK__SCHEDULER": addresses.scheduler or "",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }


@pytest.fixture(scope="module")
def worker(
    server: SyncPrefectClient, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Started in an empty folder: the pull step stands where the code is."""
    catalogue = Database(environment["CHANNELSCRIBE_DATABASE__URL"])
    schema.migrate(catalogue)
    catalogue.close()
    provision(Settings())
    folder = tmp_path_factory.mktemp("worker")
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "default", "--type", "process"]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    yield
    # Prefect turns SIGTERM into SIGINT, which a job in the background of a shell has been told to ignore.
    running.terminate()
    try:
        running.wait(15)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def documented(request: dict[str, object]) -> list[str]:
    """The documented command line, with another request."""
    line = next(line for line in DOC.splitlines() if line.strip().startswith("prefect deployment run"))
    program, *arguments = shlex.split(line)
    place = next(number for number, each in enumerate(arguments) if each.startswith("request="))
    assert set(json.loads(arguments[place].partition("=")[2])) <= {"source", "limit"}
    arguments[place] = "request=" + json.dumps(request)
    return [sys.executable, "-m", program, *arguments]


def test_the_exit_code_is_the_runs(
    worker: None, server: SyncPrefectClient, environment: dict[str, str], tmp_path: Path
) -> None:
    """Two at once, the good one with a setting of the Prefect variable, which leaves two of the eight out."""
    server.create_variable(VariableCreate(name=VARIABLE, value={"filters": {"not_title": "night train|interlude"}}))
    try:
        with SampleServer() as sample:
            sources = {True: sample.feed_url, False: f"{sample.url}/nothing-here"}
            running = {
                good: subprocess.Popen(
                    documented({"source": source, "dry_run": True, "settings": ON_SAMPLE}),
                    env=environment,
                    cwd=tmp_path,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                for good, source in sources.items()
            }
            ended = {
                good: (process.communicate(timeout=500)[0], process.returncode) for good, process in running.items()
            }
    finally:
        server.delete_variable_by_name(VARIABLE)
    for good, (out, code) in ended.items():
        expected, state = ENDS[good]
        assert code == expected, out
        assert state in out.splitlines()[-1]
    here = set(sources.values())
    found = [run for run in server.read_flow_runs() if run.parameters.get("request", {}).get("source") in here]
    runs = {run.state_name: run for run in found}
    assert runs["Completed"].state.message.endswith("2 left out")  # type: ignore[union-attr]
    assert "nothing-here" in runs["Failed"].state.message  # type: ignore[union-attr,operator]


def test_run_follows_the_run_to_its_counts(
    worker: None, server: SyncPrefectClient, environment: dict[str, str], tmp_path: Path
) -> None:
    """`channelscribe run --wait`, three at once: one that ends well, one that fails, one that the form refuses."""
    with SampleServer() as sample:
        given = {
            "good": (f"source={sample.feed_url}", "dry_run=true"),
            "bad": (f"source={sample.url}/nothing-here", "dry_run=true"),
            "refused": (f"source={sample.feed_url}", "limits=3"),
        }
        running = {}
        for name, params in given.items():
            options = [part for each in (*params, f"settings={json.dumps(ON_SAMPLE)}") for part in ("--param", each)]
            running[name] = subprocess.Popen(
                command("run", "sync-channel", *options, "--wait", "--json"),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        ended = {name: (*process.communicate(timeout=500), process.returncode) for name, process in running.items()}
    out, err, code = ended["good"]
    assert code == 0, err
    told = json.loads(out)
    assert (told["state"], told["summary"]["listed"], told["summary"]["failures"]) == ("Completed", 8, [])
    assert "sync-channel" not in told["name"] and f"/runs/flow-run/{told['flow_run']}" in err
    out, err, code = ended["bad"]
    assert code == 1 and json.loads(out)["state"] == "Failed" and "Running" in err
    out, err, code = ended["refused"]
    assert (code, out) == (2, "") and "The form refuses it" in err and "limits" in err
    done = subprocess.run(
        command("run", "sinc-channel"), env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 2 and "Did you mean sync-channel" in done.stderr
