"""The Prefect project (flows, tasks, blocks, deployments), and what a process of ours is started with.

In a checkout the project is the repository. A wheel carries it as a folder inside this package: `tasks` and `flows` are
names that many programs have, so only our own processes have it on their path, and first. Each of them gets three
things, whatever the folder it was started from holds:

- that path (`enter` in a process that runs, `environment` for one that is started), and never the working directory;
- a working directory of its own below the data folder (`Places.standing`), since Prefect reads `.env`, `prefect.toml`
  and `pyproject.toml` wherever it stands. FOLDER says where the person stands: relative paths, `channelscribe.yaml` and
  `.env` are of there;
- an environment that is built: ALLOWED, what begins with ALLOWED_PREFIXES, and what THROUGH names.

Needs nothing but Python, so that whatever is imported after `enter` is the right one.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "FOLDER",
    "THROUGH",
    "collect_less",
    "dask_setup",
    "enter",
    "enter_run",
    "environment",
    "project_folder",
    "python",
]

FOLDER = "CHANNELSCRIBE_FOLDER"
"""The variable that names the folder a person works in; without it the working directory is that."""

THROUGH = "CHANNELSCRIBE_PASS_ENV"
"""The variable that names further variables, with commas between, which processes that we start shall have."""

ALLOWED = frozenset(
    (
        # who and where one is, and how one's programs are found
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "LANG", "LANGUAGE", "TMPDIR", "TEMP", "TMP"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH"),
        # how the network is reached, and whose certificates are believed
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("PGPASSFILE", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGCONNECT_TIMEOUT"),
        *("DO_NOT_TRACK", "TOKENIZERS_PARALLELISM", "NLTK_DATA"),
    )
)
ALLOWED_PREFIXES = (
    *("CHANNELSCRIBE_", "PREFECT_", "DASK_"),
    *("LC_", "XDG_", "PYTHON", "MALLOC_", "GLIBC_"),
    *("AWS_", "HF_", "HUGGINGFACE_", "TRANSFORMERS_", "PYANNOTE_", "DENO_"),
    *("CUDA_", "NVIDIA_", "NCCL_", "HIP_", "ROCR_", "TORCH_", "PYTORCH_", "CT2_"),
    *("OMP_", "MKL_", "KMP_", "OPENBLAS_", "NUMEXPR_"),
)
REFUSED_PREFIXES = ("PREFECT_SERVER_", "PREFECT_PROFILE", "PREFECT_HOME", "PYTHONSTARTUP", "PYTHONINSPECT")
"""What is somebody else's server, home or terminal, whatever it begins with."""

_CARRIED = Path(__file__).parent / "prefect_project"


def project_folder() -> Path:
    """Where `flows`, `tasks`, `blocks`, `deployments`, `prefect.yaml` and `config.yaml` are."""
    return _CARRIED if _CARRIED.is_dir() else Path(__file__).parent.parent


def collect_less() -> None:
    """Look less often for garbage in cycles: after 50,000 new objects instead of 700.

    What is imported stays, some hundred thousand objects; going through them again and again is a fifth of what the
    start of a process costs.
    """
    gc.set_threshold(50_000, 20, 20)


def enter() -> None:
    """Put the project first on this process's path, take the working directory off it; the same for its children."""
    here = os.path.realpath(Path.cwd())
    project = str(project_folder())
    others = [entry for entry in sys.path if entry and os.path.realpath(entry) not in {here, os.path.realpath(project)}]
    sys.path[:] = [project, *others]
    os.environ.update({"PYTHONPATH": _python_path(os.environ), "PYTHONSAFEPATH": "1"})


def enter_run() -> None:
    """The pull step of every deployment: the code is on the worker already, this says where.

    Prefect calls it in a process that stands in a temporary folder. Relative paths of the settings, `.env` and
    `channelscribe.yaml` are of the folder in which the worker was started, which is that process's parent.
    """
    enter()
    if FOLDER not in os.environ:
        import psutil

        try:
            os.environ[FOLDER] = psutil.Process(os.getppid()).cwd()
        except psutil.Error:
            os.environ[FOLDER] = str(Path.cwd())


def dask_setup(server: Any) -> None:
    """Makes this module a preload of Dask's: `dask scheduler` and `dask worker --preload channelscribe.project`."""
    from importlib import import_module

    enter()
    if "GPU" in getattr(getattr(server, "state", None), "total_resources", {}):
        import_module("tasks.worker_setup").dask_setup(server)


def environment(own: Mapping[str, str | None] | None = None, of: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process that we start: what is let through of ours, and `own` over it; None takes away."""
    of = os.environ if of is None else of
    passed = {name.strip() for name in of.get(THROUGH, "").split(",")}
    let = {name: value for name, value in of.items() if name in passed or _is_allowed(name)}
    path = {"PYTHONPATH": _python_path(of), "PYTHONSAFEPATH": "1"}
    return {name: value for name, value in {**let, **path, **(own or {})}.items() if value is not None}


def python(*arguments: str) -> list[str]:
    """This Python with arguments, its working directory not on its path."""
    return [sys.executable, "-P", *arguments]


def _is_allowed(name: str) -> bool:
    # Proxies are written in either case.
    allowed = name.upper() in ALLOWED or name.startswith(ALLOWED_PREFIXES)
    return allowed and not name.startswith(REFUSED_PREFIXES)


def _python_path(environ: Mapping[str, str]) -> str:
    """The project, then what PYTHONPATH names beside the working directory, as absolute paths."""
    project, here = str(project_folder()), os.path.realpath(Path.cwd())
    named = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    others = [str(Path(entry).absolute()) for entry in named if os.path.realpath(entry) != here]
    return os.pathsep.join(dict.fromkeys([project, *others]))
