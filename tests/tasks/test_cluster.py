"""A cluster of processes started by hand, over TLS: a scheduler, two CPU workers and a speech worker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from channelscribe.errors import InvalidSetting
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import free_port, prefect_environment
from channelscribe.settings.options import DaskOptions
from tasks.dask_cluster import tls
from tests.conftest import clean_environment

pytestmark = [pytest.mark.long, pytest.mark.stack]

SCRIPT = """
import json, os, sys
from distributed import get_worker
from prefect import flow, get_run_logger, tags, task
from prefect.runtime import flow_run, task_run
from prefect.settings import get_current_settings
from tasks.batching import failure_of
from tasks.dask_runner import OnDask, submit

@task
def place(resource, number):
    get_run_logger().info("a line from a worker")
    secret = get_current_settings().api.auth_string
    return {
        "worker": get_worker().name,
        "encrypted": get_worker().address.startswith("tls://"),
        "flow_run": str(flow_run.id),
        "tags": sorted(task_run.tags),
        "secret": secret and secret.get_secret_value(),
    }

@task
def joined(first, second):
    return [first["worker"], second["worker"]]

@task
def fails(number):
    raise ZeroDivisionError(number)

@flow(task_runner=OnDask())
def everywhere():
    with tags("a-tag"):
        cpu = [submit("CPU", place, "CPU", number) for number in range(8)]
    gpu = [submit("GPU", place, "GPU", number) for number in range(2)]
    both = submit("CPU", joined, cpu[0], gpu[0])
    error = failure_of([submit("CPU", fails, 1)])
    return [[each.result() for each in cpu + gpu], both.result(), repr(error), str(flow_run.id)]

print(json.dumps(everywhere()))
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, stack: LocalStack, data_dir: Path) -> Iterator[dict[str, str]]:
    """The environment of a command that uses the cluster."""
    folder = tmp_path_factory.mktemp("cluster")
    make_certificates(folder / "tls")
    port = free_port()
    common = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    environment = clean_environment(data_dir) | prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    address = f"tls://127.0.0.1:{port}"

    with ExitStack() as started:

        def start(module: str, *arguments: str) -> None:
            own = folder / "tls" / module.removeprefix("dask_")
            files = ["--tls-ca-file", str(own / "ca.pem")]
            files += ["--tls-cert", str(own / "cert.pem"), "--tls-key", str(own / "key.pem")]
            argv = [sys.executable, "-m", f"distributed.cli.{module}", *arguments, *common, *files]
            log = started.enter_context((folder / f"{len(list(folder.iterdir()))}.log").open("wb"))
            process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
            started.callback(process.wait, 30)
            started.callback(process.terminate)

        start("dask_scheduler", "--port", str(port), "--protocol", "tls")
        for name, resources in (("cpu-1", "CPU=2 NET=1"), ("cpu-2", "CPU=2 NET=1"), ("speech", "GPU=1")):
            options = ("--name", name, "--resources", resources, "--nthreads", "2", "--memory-limit", "0")
            start("dask_worker", address, *options, "--local-directory", str(folder / name))
        yield environment | {"CHANNELSCRIBE_DASK__SCHEDULER": address} | client_files(folder / "tls")


def make_certificates(folder: Path) -> None:
    """An authority's, one each for those that speak to one another, as docker/dask-certificates.sh leaves them."""
    authority = trustme.CA()
    for role in ("scheduler", "worker", "client"):
        (folder / role).mkdir(parents=True)
        issued = authority.issue_cert(role)
        authority.cert_pem.write_to_path(folder / role / "ca.pem")
        issued.cert_chain_pems[0].write_to_path(folder / role / "cert.pem")
        issued.private_key_pem.write_to_path(folder / role / "key.pem")


def client_files(certificates: Path) -> dict[str, str]:
    own = certificates / "client"
    return {
        "CHANNELSCRIBE_DASK__TLS_CA": str(own / "ca.pem"),
        "CHANNELSCRIBE_DASK__TLS_CERT": str(own / "cert.pem"),
        "CHANNELSCRIBE_DASK__TLS_KEY": str(own / "key.pem"),
    }


def run(environment: dict[str, str]) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_steps_go_where_their_resource_is_over_tls_without_secrets(cluster: dict[str, str]) -> None:
    placed, both, error, flow_run = run(cluster | {"PREFECT_API_AUTH_STRING": "canary:of-the-one-who-submits"})
    workers = [each["worker"] for each in placed]
    assert set(workers[:8]) == {"cpu-1", "cpu-2"}
    assert set(workers[8:]) == {"speech"}
    assert both == [workers[0], "speech"]
    assert "ZeroDivisionError" in error
    assert all(each["encrypted"] and each["flow_run"] == flow_run for each in placed)
    assert [each["tags"] for each in placed] == [["a-tag"]] * 8 + [[]] * 2
    # Each machine has its own settings: those of the flow's process, with their secrets, stay there.
    assert {each["secret"] for each in placed} == {None}


def test_another_authority_is_not_believed(cluster: dict[str, str], tmp_path: Path) -> None:
    make_certificates(tmp_path)
    others = client_files(tmp_path)
    quick = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3s"}
    with pytest.raises(AssertionError, match="TLS certificate does not match"):
        run(cluster | others | quick)


def test_a_tls_address_wants_files(tmp_path: Path) -> None:
    assert tls(DaskOptions(scheduler="tcp://127.0.0.1:1")) == {}
    for missing in (None, tmp_path / "no.pem"):
        with pytest.raises(InvalidSetting, match=r"dask\.tls_ca names"):
            tls(DaskOptions(scheduler="tls://127.0.0.1:1", tls_ca=missing))
