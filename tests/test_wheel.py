"""What is installed: one top-level name, and all of it at work in a folder that holds the files of other programs."""

from __future__ import annotations

import configparser
import json
import signal
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe import __version__
from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from channelscribe.sample.server import SampleServer, sample_items
from tests.conftest import ON_SAMPLE, Ended, clean_environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PROJECT = "channelscribe/prefect_project"
CODE = ("flows", "tasks", "blocks", "deployments")
ENDS = "import os\nos._exit(99)\n"
THEIRS = {
    **dict.fromkeys(("tasks.py", "blocks.py", "deployments.py", "prefect.py", "dask.py", "flows/__init__.py"), ENDS),
    "config.yaml": "baseURL: https://example.org/\ntheme: ananke\n",
    ".env": "PREFECT_API_URL=http://127.0.0.1:9/api\nSPEECH__MODEL=theirs\n'\xff",
    "prefect.toml": "[api]\nurl = 'http://127.0.0.1:9/api'\n",
    "pyproject.toml": "[tool.prefect.api]\nurl = 'http://127.0.0.1:9/api'\n",
}
"""What other programs keep in a folder. Whoever imports one of these modules is gone."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel in it; what it depends on is that of the tests' own."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(packages)
    # What a .pth file names is on the path, but the .pth files in there are not read: the checkout is not seen.
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return folder / "bin" / "python"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's folder, with our settings beside their files."""
    for name, text in THEIRS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode("latin-1"))
    (tmp_path / "channelscribe.yaml").write_text("data_dir: data\nstore: {url: ./kept}\n")
    return tmp_path


def surroundings(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in clean_environment(Path("data")).items() if not name.startswith("PYTHON")}
    del kept["CHANNELSCRIBE_DATA_DIR"]
    return {**kept, **more}


def run(python: Path, folder: Path, *arguments: str, **more: str) -> Ended:
    return run_python(python, folder, "-m", "channelscribe", *arguments, **more)


def run_python(python: Path, folder: Path, *arguments: str, **more: str) -> Ended:
    done = subprocess.run(
        [python, *arguments], cwd=folder, env=surroundings(**more), capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_it_has_one_top_level_name_and_carries_the_project(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"channelscribe"}
    carried = {name.removeprefix(f"{PROJECT}/").partition("/")[0] for name in names if name.startswith(f"{PROJECT}/")}
    assert carried == {*CODE, "config.yaml", "prefect.yaml"}
    room = ROOT / "channelscribe" / "web"
    pages = {str(path.relative_to(ROOT)) for part in ("static", "templates") for path in (room / part).iterdir()}
    assert len(pages) > 10 and pages <= set(names)
    modules = {str(path.relative_to(ROOT)) for part in CODE for path in (ROOT / part).rglob("*.py")}
    assert modules == {
        name.removeprefix(f"{PROJECT}/") for name in names if name.startswith(PROJECT) and name.endswith(".py")
    }


def test_its_command_enters_the_project(wheel: Path, python: Path, folder: Path) -> None:
    points = configparser.ConfigParser()
    points.read_string(zipfile.Path(wheel, f"channelscribe-{__version__}.dist-info/entry_points.txt").read_text())
    module, _, function = points["console_scripts"]["channelscribe"].partition(":")
    script = f"import sys\nfrom {module} import {function}\nsys.argv[1:] = ['--version']\nsys.exit({function}())"
    done = run_python(python, folder, "-c", script, PYTHONPATH=".")
    assert (done.code, done.out, done.err) == (0, f"{__version__}\n", "")


def test_settings_are_ours_and_relative_ones_of_the_folder(python: Path, folder: Path) -> None:
    shown = run(python, folder, "config", "show", "--json", PYTHONPATH=".")
    assert shown.code == 0, shown
    assert shown.err == ""
    assert shown.json["data_dir"] == {"value": str(folder / "data"), "origin": str(folder / "channelscribe.yaml")}
    assert shown.json["store.url"]["value"] == str(folder / "kept")
    assert shown.json["speech.model"]["origin"] == "config.yaml (default)"
    assert run(python, folder, "--help").out.startswith("usage: channelscribe")


@contextmanager
def running(
    argv: list[str | Path], folder: Path, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[str]]:
    with log.open("w") as file:
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=file, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(120)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()


def sweep_by_deployment(api: str, seconds: float = 120) -> str:
    """A run of the deployment of `sweep`, by whoever serves its pool; returns the state that it ended in."""
    entries = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    name = next(entry["name"] for entry in entries if entry["entrypoint"] == "flows.sweep.sweep")
    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as server:
        deployment = server.read_deployment_by_name(f"sweep/{name}")
        created = server.create_flow_run_from_deployment(deployment.id, parameters={"request": {"dry_run": True}})
        return ended(server, created.id, seconds)


def ended(server: SyncPrefectClient, run_id: object, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = server.read_flow_run(run_id).state  # type: ignore[arg-type]
        if state is not None and state.is_final():
            return f"{state.name}: {state.message}" if state.message else state.name or ""
        time.sleep(0.5)
    raise AssertionError("the run did not end")


@pytest.mark.long
@pytest.mark.stack
@pytest.mark.timeout(900)
def test_the_whole_stack_among_strangers(python: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`up` with its pools, and a `sync` beside it: server, Dask workers, speech, a run that a pool starts."""
    short = min((item for item in sample_items() if item.id != "interlude"), key=lambda item: item.duration)
    log = tmp_path_factory.mktemp("logs") / "up.log"
    up = [python, "-m", "channelscribe", "up", "--json"]
    with running(up, folder, surroundings(PYTHONPATH="."), log) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        with SampleServer(items=[replace(short, id="among-strangers")]) as sample:
            done = run(python, folder, "sync", sample.feed_url, *ON_SAMPLE, "--json", PYTHONPATH=".")
        assert done.code == 0, done
        assert done.json["published"] == 1
        assert sweep_by_deployment(json.loads(line)["api"]).startswith("Completed")
    assert [path.name for path in (folder / "kept" / "transcriptions").rglob("*.srt")] != []
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        {*(name.partition("/")[0] for name in THEIRS), "channelscribe.yaml", "data", "kept"}
    )


@pytest.mark.long
@pytest.mark.stack
@pytest.mark.timeout(600)
def test_a_worker_as_documented_for_a_server(
    python: Path, folder: Path, stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schema.migrate(Database(stack.addresses.database_url or ""))
    api = stack.addresses.prefect_api_url or ""
    # Prefect's own command reads `.env`, and ends where that is no UTF-8.
    (folder / ".env").write_text(THEIRS[".env"].partition("\xff")[0].removesuffix("'"))
    own = surroundings(
        CHANNELSCRIBE_PREFECT__API_URL=api,
        CHANNELSCRIBE_DATABASE__URL=stack.addresses.database_url or "",
        PREFECT_API_URL=api,
        PREFECT_HOME=str(tmp_path_factory.mktemp("home")),
        PREFECT_WORKER_QUERY_SECONDS="1",
    )
    deployed = run(python, folder, "deploy", "--json", **own)
    assert deployed.code == 0, deployed
    log = tmp_path_factory.mktemp("logs") / "worker.log"
    # As its console script does, Prefect is not looked for in the working directory.
    argv = [python, "-P", "-m", "prefect", "worker", "start", "--pool", "default", "--type", "process"]
    with running(argv, folder, own, log):
        state = sweep_by_deployment(api)
    assert state.startswith("Completed"), log.read_text()
