"""What all tests share: one laptop stack a run (PostgreSQL, a Prefect server, a Dask cluster) and the command line.

The stack is started when the first test asks for it and held for the whole run; commands that tests call find it
running on the same data folder and share it, as a user's second command does.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from channelscribe.local_stack import LocalStack
from channelscribe.settings import Settings

pytest_plugins = ["tests.scheduling", "tests.databases"]

COMMAND_SECONDS = 540
STANDIN_PLUGIN = Path(__file__).parent / "standin" / "plugin"
ON_SAMPLE = [
    *("--model", "sample"),
    *("--set", "text.models={en: sample}"),
    *("--set", "meaning.model=sample"),
    *("--set", "sources.allow_private_addresses=true"),
]
"""Options of `sync` for sources on loopback that speak with the sample's voices."""


# How long an example takes says something of the machine only.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

# yt-dlp looks for plugins on sys.path once a process. Commands, the services of the stack and its Dask workers inherit
# the environment, so that they know the stand-in site (`tests/standin`), too.
sys.path.append(str(STANDIN_PLUGIN))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(STANDIN_PLUGIN))))

# Nobody's own settings: what a developer has in ~/.config is none of the tests'.
NOBODYS = tempfile.mkdtemp(prefix="channelscribe-nobodys-")
atexit.register(shutil.rmtree, NOBODYS, ignore_errors=True)
os.environ["XDG_CONFIG_HOME"] = NOBODYS
os.environ["PREFECT_PROFILES_PATH"] = f"{NOBODYS}/profiles.toml"
os.environ.pop("PREFECT_API_URL", None)


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """stdout as the one JSON object that it must be."""
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-4000:]}"


Cli = Callable[..., Ended]


def clean_environment(data: Path) -> dict[str, str]:
    """The environment of a user: no settings of the developer's, a data folder of the test's."""
    dropped = ("CHANNELSCRIBE_", "PREFECT_", "PYTHONUNBUFFERED")  # the last one hides output that is not flushed
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    theirs = {"PREFECT_PROFILES_PATH": f"{NOBODYS}/profiles.toml"}
    return {**kept, "CHANNELSCRIBE_DATA_DIR": str(data), "HF_HUB_OFFLINE": "1", "COLUMNS": "160", **theirs}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flows.cli", *arguments]


def run_command(data: Path, *arguments: str, cwd: Path | None = None) -> Ended:
    done = subprocess.run(
        command(*arguments),
        env=clean_environment(data),
        cwd=cwd or Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the shared stack."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def stack(data_dir: Path) -> Iterator[LocalStack]:
    """The shared stack, answering."""
    with LocalStack(Settings(data_dir=data_dir), command="the tests") as running:
        running.wait_ready()
        yield running


@pytest.fixture(scope="session")
def cli(stack: LocalStack, data_dir: Path) -> Cli:
    """Call the command line on the shared stack."""

    def call(*arguments: str) -> Ended:
        return run_command(data_dir, *arguments)

    return call
