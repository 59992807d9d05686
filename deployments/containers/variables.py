"""Is every variable that a container gets one that somebody in it reads: a typing error would be kept from nobody else.

Settings of channelscribe and Prefect by their models, Dask's by its configuration, the rest by the scripts in the image
or by the list below.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dask.config
import distributed  # noqa: F401 - adds its part to Dask's configuration
from prefect.settings.legacy import _get_valid_setting_names
from prefect.settings.models.root import Settings as PrefectSettings

from channelscribe.errors import ChannelscribeError
from channelscribe.settings.registry import PREFIX, SettingsRegistry
from deployments.containers.compose import Service
from deployments.containers.tree import STAND_IN, Finding, Tree

OF_LIBRARIES = {
    *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED"),
    *("DO_NOT_TRACK", "PYANNOTE_METRICS_ENABLED", "TOKENIZERS_PARALLELISM"),
    *("HF_HOME", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"),
    *("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
}
OF_OTHERS = {
    "postgres": r"POSTGRES_(PASSWORD|USER|DB|INITDB_ARGS)|PGDATA",
    "seaweedfs": r"AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY",
    "grafana": r"GF_[A-Z]+(_[A-Z]+)+",
    "prometheus": r"",
    "postgres-exporter": r"DATA_SOURCE_(URI|USER|PASS|NAME)",
    "dcgm-exporter": r"DCGM_EXPORTER_[A-Z_]+",
}
"""What images that are not ours read, by the last part of their name."""

MADE_BY_SHELL = {"HOSTNAME", "PWD", "PATH", "HOME", "TMPDIR", "POSTGRES_USER", "IFS"}
READ = re.compile(r"(?:\$\{?|environ(?:\.get)?[\[(]\")(?P<name>[A-Z][A-Z0-9_]+)(?P<default>:?[-=+])?")


def variables(tree: Tree) -> Iterator[Finding]:
    for service in tree.compose.services.values():
        own = tree.environment(service)
        scripts = list(scripts_of(tree, service))
        read = {name for script in scripts for name, _ in read_in(script)}
        for name in sorted(own):
            if not is_read(tree, service, name, read):
                yield Finding(service.name, f"nobody in it reads {name}")
        for script in scripts:
            for name, needed in read_in(script):
                if needed and name not in {*own, *MADE_BY_SHELL}:
                    yield Finding(service.name, f"{script.name} wants {name}, which is not set")
        yield from settings(service.name, own)


def is_read(tree: Tree, service: Service, name: str, read: set[str]) -> bool:
    if name in read or name in OF_LIBRARIES:
        return True
    if not tree.is_ours(service):
        image = str(service.own.get("image") or "").partition(":")[0].rpartition("/")[2]
        return not service.own.get("build") and bool(re.fullmatch(OF_OTHERS.get(image, ""), name))
    if name.startswith("PREFECT_"):
        return name in prefect_names()
    return name.startswith(PREFIX) or is_of_dask(name)


@cache
def prefect_names() -> set[str]:
    return set(_get_valid_setting_names(PrefectSettings))


def is_of_dask(name: str) -> bool:
    if not name.startswith("DASK_") or "__" not in name:
        return False
    key = name.removeprefix("DASK_").lower().replace("__", ".").replace("_", "-")
    return dask.config.get(key, default=is_of_dask) is not is_of_dask


def settings(where: str, environment: dict[str, str]) -> Iterator[Finding]:
    """Those of channelscribe as a process would read them: names and values."""
    ours = {(name, value) for name, value in environment.items() if name.startswith(PREFIX) and value != STAND_IN}
    if wrong := what_is_wrong(frozenset(ours)):
        yield Finding(where, wrong)


@cache
def what_is_wrong(environment: frozenset[tuple[str, str]]) -> str | None:
    with tempfile.TemporaryDirectory() as empty:
        try:
            SettingsRegistry(environ=dict(environment), folder=Path(empty)).resolve()
        except ChannelscribeError as error:
            return error.message
    return None


def scripts_of(tree: Tree, service: Service) -> Iterator[Path]:
    """Files of this checkout that the container runs: what is copied to where programs are, or mounted as one file."""
    candidates = [mount.target for mount in service.mounts if mount.is_path]
    candidates += [word for word in tree.start(service) if word.startswith("/")]
    for copied in tree.dockerfile.copied(service.target) if service.target else []:
        candidates += [copied.target] if copied.stage is None else []
    for candidate in candidates:
        source = tree.source_of(service, candidate)
        if source and source.is_file() and source.suffix in (".sh", ".py", ".template"):
            yield source


def read_in(script: Path) -> Iterator[tuple[str, bool]]:
    """(variable, whether it must be set): those that a script sets itself are not told."""
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines)
    for found in READ.finditer(text):
        if (
            not re.search(rf"(?m)(?:^|[\s;]){found['name']}=", text)
            or found["default"]
            or f"${{{found['name']}:?" in text
        ):
            yield found["name"], not found["default"] and script.suffix != ".py"
