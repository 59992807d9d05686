"""Commands and environments of containers, as they are on this machine: nothing outside the stack's folder is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.containers.processes import STAND_INS, Host

OF_CONTAINERS = re.compile(
    r"(?<![\w./:-])/(tmp/prefect|tmp/ui|data|tls|models|certificates|backup|etc/channelscribe)\b"
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host(tmp_path_factory.mktemp("stack"), {"CHANNELSCRIBE_SPEECH__MODEL": "sample"})


def test_every_service_stays_in_its_folder_and_on_its_address(host: Host) -> None:
    looked_at = 0
    for name, service in host.services.items():
        environment = host.environment(service)
        for word in [*environment.values(), *([] if name in STAND_INS else host.words(service))]:
            assert not OF_CONTAINERS.search(word), (name, word)
            assert "0.0.0.0" not in word, (name, word)  # noqa: S104
            assert not re.search(r"(?<![\w.-])(server|postgres|s3|dask-scheduler):\d", word), (name, word)
            looked_at += 1
    assert looked_at > 100


def test_the_same_folder_is_the_same_stack(host: Host) -> None:
    again = Host(host.folder, host.settings)
    for name, service in host.services.items():
        assert again.environment(again.services[name]) == host.environment(service)
    assert (host.folder / "stack.json").stat().st_mode & 0o777 == 0o600
    others = {host.address(name) for name in host.services}
    assert len(others) == len(host.services)


def test_settings_reach_those_that_read_settings_env(host: Host) -> None:
    told = {name for name, each in host.services.items() if "CHANNELSCRIBE_SPEECH__MODEL" in host.environment(each)}
    assert {"orchestrator", "dask-worker", "speech"} <= told
    assert not told & {"server", "postgres", "nginx", "prometheus"}


def test_a_folder_of_volumes_leads_to_them(host: Host, tmp_path: Path) -> None:
    service = host.services["certificates"]
    host.command(service)
    above = Path(host.here(service, "/tls"))
    assert above.is_relative_to(host.folder)
    for role in ("authority", "scheduler", "worker", "client"):
        assert (above / role).resolve() == Path(host.here(service, f"/tls/{role}")).resolve()
