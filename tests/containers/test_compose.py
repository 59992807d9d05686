"""What no tool of the trade knows of docker/: names of ours that must be right, and what docs/containers.md says."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings.legacy import _get_valid_setting_names
from prefect.settings.models.root import Settings as PrefectSettings
from prometheus_client.parser import text_string_to_metric_families

from channelscribe import errors
from channelscribe.catalogue.prometheus import exposition
from channelscribe.catalogue.stats import Figures, StageFigures
from channelscribe.catalogue.tables import State
from channelscribe.settings.registry import SettingsRegistry
from flows.cli import parser
from tests.containers.compose_file import DOCKER, ROOT, STAND_IN, VARIABLE, Service, example, images, services

COMPOSE = (DOCKER / "compose.yaml").read_text()
ALL = services()
OURS = {name: service for name, service in ALL.items() if service.image and service.image.user != "nginx"}
METRIC = re.compile(r"\b(?:channelscribe|dask|pg|DCGM|process|prefect)_\w+|\bup\b|\bALERTS\b")
SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|ACCESS_KEY|AUTH_STRING|_PASS$)")

each = pytest.mark.parametrize("service", ALL.values(), ids=ALL)
each_of_ours = pytest.mark.parametrize("service", OURS.values(), ids=OURS)


@each
def test_every_container_is_held_within_bounds(service: Service) -> None:
    own = service.own
    limits = own["deploy"]["resources"]["limits"]
    assert limits["memory"] and limits["pids"]
    assert own["security_opt"] == ["no-new-privileges:true"]
    assert own["cap_drop"] == ["ALL"]
    assert own["logging"]["options"]["max-size"]
    assert not own.get("privileged") and own.get("network_mode", "none") == "none" and "pid" not in own
    assert not any("docker.sock" in source for source in service.mounts.values())
    assert "ports" not in own or service.name == "nginx"
    assert service.image is None or service.image.user not in ("", "root", "0")
    if service.name != "gpu-exporter":  # nothing in that image could ask
        assert own["restart"] == "no" or service.health_check


@pytest.mark.slow
@each
def test_images_are_pinned_and_no_secret_stands_in_a_file(service: Service) -> None:
    assert service.image or re.search(r":v?\d+\.\d+", service.own["image"])
    raw = yaml.safe_load(COMPOSE)["services"][service.name].get("environment") or {}
    secrets = {name: str(value) for name, value in raw.items() if SECRET.search(name) and value != "true"}
    assert {name: value for name, value in secrets.items() if "$" not in value} == {}


def test_env_example_holds_every_variable_and_no_secret() -> None:
    used = {found["bare"] or found["name"] for found in VARIABLE.finditer(COMPOSE) if not found["dollar"]}
    told = set(example(commented=True))
    assert used - told == set()
    assert told - used <= {"COMPOSE_PROFILES"}
    assert [name for name, value in example().items() if SECRET.search(name) and value] == []
    profiles = {profile for service in ALL.values() for profile in service.own.get("profiles") or []}
    assert set(example()["COMPOSE_PROFILES"].split(",")) <= profiles


@each_of_ours
def test_settings_of_ours_and_prefects_are_ones(service: Service, tmp_path: Path) -> None:
    environment = {name: value for name, value in service.environment.items() if STAND_IN not in value}
    SettingsRegistry(environ=environment, folder=tmp_path).resolve()
    prefect = {name for name in environment if name.startswith("PREFECT_")}
    assert prefect - set(_get_valid_setting_names(PrefectSettings)) == set()


@each_of_ours
def test_commands_and_health_checks_are_there(service: Service) -> None:
    for words in (service.start, service.health_check):
        for found in re.finditer(r"channelscribe ([a-z]+[^&]*)|python -m ([\w.]+)", " ".join(words)):
            if found[1]:
                parser().parse_args(found[1].split())
            elif found[2]:
                assert importlib.util.find_spec(found[2])
    if service.health_check[:1] == ["health"]:
        spec = importlib.util.spec_from_file_location("health", DOCKER / "health.py")
        assert spec and spec.loader
        health = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(health)
        check, *words = service.health_check[1:]
        inspect.signature(health.CHECKS[check]).bind(*words)


def test_what_is_waited_for_comes_about() -> None:
    for service in ALL.values():
        for name, condition in service.needs.items():
            other = ALL[name]
            assert condition != "service_healthy" or other.health_check
            assert condition != "service_completed_successfully" or other.own["restart"] == "no"
            assert set(other.own.get("profiles") or []) <= set(service.own.get("profiles") or [])
            if condition == "service_healthy":
                assert set(other.own["networks"]) & set(service.own["networks"])


def test_addresses_lead_to_who_listens_over_a_network_of_both() -> None:
    names = "|".join(sorted(ALL, key=len, reverse=True))
    looked_at = 0
    for service in ALL.values():
        told = " ".join([*service.environment.values(), *service.start, *service.health_check])
        for name, port in re.findall(rf"(?<![\w.-])({names}):(\d{{2,5}})\b", told):
            other = ALL[name]
            listens = " ".join([*other.start, *other.health_check, *other.environment.values()])
            assert port in listens or port in KNOWN[name], (service.name, name, port)
            assert set(other.own["networks"]) & set(service.own["networks"]), (service.name, name)
            looked_at += 1
    assert looked_at > 10


KNOWN = {"postgres": ["5432"], "s3": ["8333"], "grafana": ["3000"], "dask-worker": ["8788"]}


def test_the_build_has_what_it_copies() -> None:
    rules = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    text = (DOCKER / "Dockerfile").read_text()
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ")]
    sources = {source for words in copied for source in words if not source.startswith("--")}
    sources |= set(re.findall(r"type=bind,source=(\S+),target", text))
    assert len(sources) > 10
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(source == rule or source.startswith(f"{rule}/") for rule in rules), source
    assert {image.user for name, image in images().items() if name in ALL} <= {"channelscribe", "nginx"}


def expressions() -> Iterator[tuple[str, str]]:
    """(where it stands, PromQL) of all rules and panels."""
    for group in yaml.safe_load((DOCKER / "prometheus/rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"rules.yml, {rule.get('alert') or rule.get('record')}", rule["expr"]
    for path in sorted((DOCKER / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets") or []:
                yield f"{path.name}, {panel['title']}", target["expr"]


def test_rules_and_dashboards_name_what_somebody_gives() -> None:
    """Ours; the others are asked for in test_processes."""
    figures = Figures(
        states={}, failures={"private": 1}, running={"read": 1}, due=1, oldest_due_seconds=1, transcribed_seconds=1
    )
    figures.stages.append(StageFigures("download", 1, 1, 1, 1, 1))
    families = text_string_to_metric_families(exposition(lambda: figures).decode())
    given = {sample.name for family in families for sample in family.samples}
    scraped = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    kinds: list[Any] = [getattr(errors, name) for name in errors.__all__]
    known = {"job": {job["job_name"] for job in scraped}, "state": {state.value for state in State}}
    known["reason"] = {kind.reason for kind in kinds if isinstance(kind, type) and hasattr(kind, "reason")}
    looked_at = 0
    for where, expression in expressions():
        ours = {name for name in METRIC.findall(expression) if name.startswith("channelscribe_")}
        assert ours <= given, where
        for name, value in re.findall(r"\b(job|state|reason)\s*=~?\s*\"([^\"]*)\"", expression):
            assert set(value.split("|")) <= known[name], where
            looked_at += 1
    assert looked_at > 5


def test_panels_ask_a_source_that_is_provisioned() -> None:
    files = (DOCKER / "grafana/provisioning/datasources").glob("*.yaml")
    provisioned = {source["uid"] for file in files for source in yaml.safe_load(file.read_text())["datasources"]}
    for path in (DOCKER / "grafana/dashboards").glob("*.json"):
        panels = json.loads(path.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert set(re.findall(r'"uid": "(\w+)"', json.dumps(panels))) <= provisioned
