"""The scripts of our images: health checks, passwords, and what is cleared before a worker starts."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCKER = Path(__file__).parent.parent.parent / "docker"
HOST = socket.gethostname()


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("health", DOCKER / "health.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("PREFECT_API_URL", "http://server:4200/api")
    monkeypatch.setenv("DASK_SCHEDULER_HTTP", "dask-scheduler:8787")
    return module


def answers(health: ModuleType, monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    monkeypatch.setattr(health, "ask", lambda url, body=None: json.dumps(answer).encode())


def worker(name: str, seconds: float) -> dict[str, Any]:
    """As Prefect tells of it: heard of so many seconds ago."""
    heard = datetime.now(UTC) - timedelta(seconds=seconds)
    return {"name": name, "last_heartbeat_time": heard.isoformat().replace("+00:00", "Z")}


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ({"other": 1, HOST: 5}, ""),
        ({HOST: 500}, "no sign of life"),
        ({"other": 1}, "has no worker"),
        ({}, "has no worker"),
    ],
)
def test_a_worker_of_a_pool_is_well_when_prefect_hears_of_it(
    health: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    workers: dict[str, float],
    said: str,
) -> None:
    answers(health, monkeypatch, [worker(name, seconds) for name, seconds in workers.items()])
    assert health.main(["pool", "default"]) == bool(said)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "seconds", "said"), [(HOST, 3, ""), (HOST, 500, "has not heard"), ("another", 1, "has no worker")]
)
def test_a_dask_worker_is_well_when_the_scheduler_hears_of_it(
    health: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    seconds: float,
    said: str,
) -> None:
    answers(health, monkeypatch, {"workers": {"tls://1": {"id": name, "last_seen": time.time() - seconds}}})
    assert health.main(["dask-worker"]) == bool(said)
    assert said in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["nothing"], [], ["pool"], ["pool", "default"], ["dask-worker"]])
def test_nobody_there_is_unwell_and_said_in_one_line(arguments: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            ["python3", DOCKER / "health.py", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "PREFECT_API_URL": f"http://{address}/api",
                "DASK_SCHEDULER_HTTP": address,
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("health: ") and done.stdout.count("\n") == 1


def written(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if line and line[0] != "#")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_passwords_are_made_once(tmp_path: Path) -> None:
    for name in ("passwords", ".env.example"):
        shutil.copy2(DOCKER / name, tmp_path / name)
    subprocess.run([tmp_path / "passwords"], check=True)
    made = tmp_path / ".env"
    assert made.stat().st_mode & 0o077 == 0
    lines = written(made)
    secrets = [value for name, value in lines.items() if name.endswith(("PASSWORD", "_KEY"))]
    assert len(secrets) == len(set(secrets)) >= 7
    assert all(value.isalnum() and len(value) >= 32 for value in secrets)
    again = subprocess.run([tmp_path / "passwords"], capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "stays" in again.stderr
    assert written(made) == lines


def test_what_killed_workers_left_goes_and_broken_off_downloads_stay(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    for name in ("old-work", "new-work", "partial", "tmp/old", "tmp/new"):
        (scratch / name).mkdir(parents=True)
        (scratch / name / "file").touch()
    long_ago = time.time() - 5 * 86400
    for name in ("old-work", "partial", "tmp/old"):
        os.utime(scratch / name, (long_ago, long_ago))
    done = subprocess.run(
        ["sh", DOCKER / "entrypoint.sh", "sh", "-c", "echo $TMPDIR"],
        env={"PATH": os.environ["PATH"], "CHANNELSCRIBE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(scratch / "tmp")
    left = {str(path.relative_to(scratch)) for path in [*scratch.iterdir(), *(scratch / "tmp").iterdir()]}
    assert left == {"new-work", "partial", "tmp", "tmp/new"}
