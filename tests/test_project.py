"""What a process of ours is started with: the project first on its path, and an environment that was built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from channelscribe import project

STRANGERS = ("tasks.py", "blocks.py", "prefect.py", "dask.py", "deployments.py", "rich.py", "yaml.py")


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """Somebody's folder: each of its modules ends the process that imports it."""
    folder = tmp_path / "theirs"
    (folder / "flows").mkdir(parents=True)
    for name in (*STRANGERS, "flows/__init__.py"):
        (folder / name).write_text("import os\nos._exit(99)\n")
    return folder


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHANNELSCRIBE_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**kept, **more}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", [None, ".", "", ".:elsewhere"])
def test_a_command_is_ours_in_a_folder_of_strangers(strangers: Path, path: str | None) -> None:
    more = {} if path is None else {"PYTHONPATH": path}
    done = run(strangers, "-m", "channelscribe", "config", "show", "--json", **more)
    assert (done.returncode, done.stderr) == (0, "")


def test_enter_takes_the_working_directory_off_the_path_and_keeps_what_else_was_named(strangers: Path) -> None:
    (strangers.parent / "named").mkdir()
    script = "import sys, os; from channelscribe.project import enter; enter(); "
    script += "print(sys.path); print(os.environ['PYTHONPATH'])"
    done = run(strangers, "-c", script, PYTHONPATH=os.pathsep.join([str(project.project_folder()), ".", "../named"]))
    path, variable = done.stdout.splitlines()
    assert path.startswith(f"['{project.project_folder()}', ")
    assert f"'{strangers}'" not in path
    assert variable.split(os.pathsep) == [str(project.project_folder()), str(strangers / "../named")]


def test_the_environment_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "PATH": "/bin",
        "https_proxy": "http://proxy",
        "AWS_PROFILE": "mine",
        "CHANNELSCRIBE_SPEECH__MODEL": "small",
        "CUDA_VISIBLE_DEVICES": "1",
        "PREFECT_API_AUTH_STRING": "a:b",
        # somebody else's
        "DATABASE_URL": "postgresql://theirs",
        "PGHOST": "theirs",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "theirs",
        "PREFECT_HOME": "/theirs",
        "PREFECT_PROFILE": "theirs",
        "PYTHONSTARTUP": "theirs.py",
        "SECRET": "theirs",
        "WANTED": "yes",
        project.THROUGH: "WANTED, ALSO",
    }
    built = project.environment({"OWN": "1", "AWS_PROFILE": None}, given)
    assert built == {
        "PATH": "/bin",
        "https_proxy": "http://proxy",
        "CHANNELSCRIBE_SPEECH__MODEL": "small",
        "CUDA_VISIBLE_DEVICES": "1",
        "PREFECT_API_AUTH_STRING": "a:b",
        "WANTED": "yes",
        project.THROUGH: "WANTED, ALSO",
        "PYTHONPATH": str(project.project_folder()),
        "PYTHONSAFEPATH": "1",
        "OWN": "1",
    }


def test_what_is_let_through_is_in_the_docs() -> None:
    doc = (Path(__file__).parent.parent / "docs" / "operating.md").read_text(encoding="utf-8")
    section = doc.partition("## What a process is started with")[2].partition("\n## ")[0]
    named = (*project.ALLOWED, *project.ALLOWED_PREFIXES, *project.REFUSED_PREFIXES, project.THROUGH)
    assert [name for name in named if f"`{name}" not in section] == []


def test_a_run_of_a_deployment_has_the_project_and_the_folder_of_its_worker(strangers: Path) -> None:
    steps = yaml.safe_load((project.project_folder() / "prefect.yaml").read_text())["pull"]
    assert steps == [{"channelscribe.project.enter_run": {}}]
    inner = (
        "import os, sys; os.chdir('/'); from channelscribe.project import enter_run; enter_run(); import tasks; "
        "print(tasks.__file__); print(os.environ['CHANNELSCRIBE_FOLDER'])"
    )
    worker = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    done = run(strangers, "-c", worker, inner)
    assert done.stdout.splitlines() == [str(project.project_folder() / "tasks" / "__init__.py"), str(strangers)], done
