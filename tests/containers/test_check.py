"""`make containers-check` on the tree as it is, and on copies of it with one fault each: each must be found."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.containers import commands, compose
from deployments.containers.check import OWN
from deployments.containers.programs import PROGRAMS, Skipped
from deployments.containers.tree import ROOT, Finding, Tree

Services = dict[str, Any]
Edit = Callable[[Services], Any]

OPTIONS = """
--pool --type --name --limit --install-policy --listen --protocol --port --dashboard-address --no-dashboard --no-jupyter
--tls-ca-file --tls-cert --tls-key --nworkers --nthreads --resources --memory-limit --death-timeout --local-directory
--factory --host --timeout-keep-alive --timeout-graceful-shutdown --log-level --preload --worker-port --nanny-port
--contact-address --scheduler-file --prune
"""


def told(words: tuple[str, ...]) -> str | None:
    """A stand-in for the help of the real programs, which takes seconds each; `make containers-check` asks those."""
    known = {"prefect worker start", "dask scheduler", "dask worker", "uvicorn"}
    known |= {f"channelscribe {name}" for name in ("deploy", "metrics", "backup", "doctor", "restore", "sweep")}
    return OPTIONS if " ".join(words) in known else None


def found_in(tree: Tree) -> list[str]:
    found: list[Finding] = []
    for check in OWN.values():
        found += commands.commands(tree, told) if check is commands.commands else check(tree)
    return [str(each) for each in found]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(
        ROOT / "docker", tmp_path / "docker", ignore=shutil.ignore_patterns(".env", "backup", "__pycache__")
    )
    return tmp_path / "docker"


def edited(docker: Path, edit: Edit) -> Tree:
    content = json.loads(as_json())
    edit(content["services"])
    (docker / "compose.yaml").write_text(json.dumps(content))
    return Tree(docker)


@cache
def as_json() -> str:
    """compose.yaml with anchors written out; JSON is YAML."""
    return json.dumps(yaml.safe_load((ROOT / "docker/compose.yaml").read_text()))


def test_the_tree_as_it_is() -> None:
    tree = Tree(ROOT / "docker")
    assert found_in(tree) == []
    # It was looked at: every service of ours starts something that was understood.
    for service in tree.compose.services.values():
        if tree.is_ours(service):
            assert list(commands.simple(tree.start(service)))
            assert service.own.get("restart") == "no" or list(commands.simple(tree.health_check(service)))


FAULTS: dict[str, tuple[Edit, str]] = {
    "volume": (lambda s: s["s3"].update(volumes=["nothing:/data"]), "s3: there is no volume nothing"),
    "unused volume": (lambda s: s["s3"].update(volumes=[]), "nobody uses the volume s3"),
    "network": (lambda s: s["s3"].update(networks=["nothing"]), "s3: there is no network nothing"),
    "order": (
        lambda s: s["setup"]["depends_on"].update(nobody={"condition": "service_started"}),
        "setup: waits for nobody, which there is not",
    ),
    "order of profiles": (
        lambda s: s["server"]["depends_on"].update(metrics={"condition": "service_healthy"}),
        "server: waits for metrics, which is only there with monitoring",
    ),
    "circle": (
        lambda s: s["postgres"].update(depends_on={"setup": {"condition": "service_completed_successfully"}}),
        "postgres: waits for itself",
    ),
    "health that nobody tells": (lambda s: s["s3"].pop("healthcheck"), "waits for s3 to be healthy"),
    "end that does not come": (lambda s: s["setup"].update(restart="always"), "waits for setup to end"),
    "variable": (
        lambda s: s["server"]["environment"].update(PREFECT_SERVER_LOGGING_LEVEL="${NEW_VARIABLE}"),
        ".env.example: compose.yaml uses NEW_VARIABLE",
    ),
    "published port": (
        lambda s: s["postgres"].update(ports=["5432:5432"]),
        "postgres: publishes ['5432:5432']; only nginx may",
    ),
    "no limit": (lambda s: s["s3"].pop("deploy"), "s3: has no limit of memory"),
    "no restart": (lambda s: s["s3"].pop("restart"), "s3: has no restart policy"),
    "endless log": (lambda s: s["s3"].pop("logging"), "s3: writes logs without end"),
    "no health check": (lambda s: s["metrics"].pop("healthcheck"), "metrics: has no health check"),
    "host's network": (lambda s: s["s3"].update(network_mode="host"), "s3: has the host's rights"),
    "privileges": (lambda s: s["s3"].pop("security_opt"), "s3: may gain privileges"),
    "root": (lambda s: s["server"].update(user="0:0"), "server: runs as root"),
    "docker's socket": (
        lambda s: s["s3"]["volumes"].append("/var/run/docker.sock:/var/run/docker.sock"),
        "s3: is given Docker itself",
    ),
    "image": (lambda s: s["s3"].update(image="chrislusf/seaweedfs:latest"), "is not pinned"),
    "stage": (lambda s: s["server"]["build"].update(target="nothing"), "server: there is no stage nothing"),
    "secret": (
        lambda s: s["postgres"]["environment"].update(POSTGRES_PASSWORD="geheim"),
        "postgres: the value of POSTGRES_PASSWORD stands in the file",
    ),
    "setting": (
        lambda s: s["orchestrator"]["environment"].update(CHANNELSCRIBE_DASK__SHEDULER="x"),
        "orchestrator: ",
    ),
    "value of a setting": (
        lambda s: s["orchestrator"]["environment"].update(CHANNELSCRIBE_PREFECT__GPU_RUNS="many"),
        "prefect.gpu_runs",
    ),
    "Prefect's setting": (
        lambda s: s["server"]["environment"].update(PREFECT_SERVER_METRICS_ENABELD="true"),
        "server: nobody in it reads PREFECT_SERVER_METRICS_ENABELD",
    ),
    "Dask's setting": (
        lambda s: s["dask-worker"]["environment"].update(DASK_DISTRIBUTED__COM__REQUIRE_ENCRYPTION="true"),
        "dask-worker: nobody in it reads DASK_DISTRIBUTED__COM__REQUIRE_ENCRYPTION",
    ),
    "variable of the proxy": (
        lambda s: s["nginx"]["environment"].pop("PUBLIC_PORT"),
        "nginx: channelscribe.conf.template wants PUBLIC_PORT",
    ),
    "variable of a script": (
        lambda s: s["postgres"]["environment"].pop("MONITOR_DATABASE_PASSWORD"),
        "postgres: databases.sh wants MONITOR_DATABASE_PASSWORD",
    ),
    "program": (lambda s: s["metrics"].update(command=["channelscribed"]), "there is no program channelscribed"),
    "subcommand": (
        lambda s: s["metrics"].update(command=["channelscribe", "metric"]),
        "there is no command channelscribe metric",
    ),
    "option": (
        lambda s: s["metrics"].update(command=["channelscribe", "metrics", "--lisen", "0.0.0.0:9108"]),
        "channelscribe metrics has no option --lisen",
    ),
    "module": (
        lambda s: s["certificates"].update(command=["python", "-m", "deployments.certificate", "/tls"]),
        "there is no module deployments.certificate",
    ),
    "health check": (
        lambda s: s["server"]["healthcheck"].update(test=["CMD", "health", "servers"]),
        "server: health knows no check servers",
    ),
    "health check's words": (
        lambda s: s["orchestrator"]["healthcheck"].update(test=["CMD", "health", "pool"]),
        "orchestrator: the check pool of health takes other words",
    ),
    "other image's program": (
        lambda s: s["prometheus"]["healthcheck"].update(test=["CMD", "curl", "http://127.0.0.1:9090/-/ready"]),
        "prometheus: its image is not known to have curl",
    ),
    "port": (
        lambda s: s["nginx"]["environment"].update(PREFECT_UPSTREAM="server:4201"),
        "nginx: goes to server:4201, where server does not listen",
    ),
    "port of Prometheus": (
        lambda s: s["metrics"].update(command=["channelscribe", "metrics", "--listen", "0.0.0.0:9109"]),
        "prometheus: goes to metrics:9108, where metrics does not listen",
    ),
    "published port inside": (lambda s: s["nginx"].update(ports=["443:443"]), "nginx: publishes port 443"),
    "way": (
        lambda s: s["nginx"].update(networks=["front"]),
        "nginx: goes to server, with which it has no network in common",
    ),
    "path": (
        lambda s: s["dask-scheduler"].update(volumes=[]),
        "dask-scheduler: /tls/scheduler/cert.pem is in no volume",
    ),
    "mounted file": (
        lambda s: s["prometheus"].update(entrypoint=["sh", "/etc/prometheus/begin.sh"]),
        "prometheus: /etc/prometheus/begin.sh is not there",
    ),
    "certificate": (
        lambda s: s["orchestrator"]["environment"].update(CHANNELSCRIBE_DASK__TLS_KEY="/tls/client/secret.pem"),
        "orchestrator: there is no secret.pem among a client's certificates",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_compose_is_found(copy: Path, name: str) -> None:
    edit, message = FAULTS[name]
    found = found_in(edited(copy, edit))
    assert any(message in each for each in found), found


IN_FILES: dict[str, tuple[str, str, str, str]] = {
    "copied file": ("Dockerfile", r"docker/health\.py", "docker/heath.py", "there is no docker/heath.py"),
    "mounted into a build": ("Dockerfile", r"source=uv\.lock", "source=uv.lok", "there is no uv.lok"),
    "package": ("Dockerfile", r"COPY blocks blocks\n", "", "builds the wheel without blocks"),
    "root": ("Dockerfile", r"(?m)^USER \w+\n", "", "server: runs as root"),
    "base": ("Dockerfile", r"NGINX_IMAGE=\S+", "NGINX_IMAGE=nginx", "the image nginx is not pinned"),
    "secret in a layer": ("Dockerfile", r"(?m)^ENV HOME=/tmp$", "ENV HOME=/tmp HF_TOKEN=hf_1", "value of HF_TOKEN"),
    "default password": (".env.example", r"PREFECT_PASSWORD=", "PREFECT_PASSWORD=x", "PREFECT_PASSWORD has a value"),
    "lost variable": (".env.example", r"(?m)^HTTPS_PORT=.*\n", "", "compose.yaml uses HTTPS_PORT"),
    "variable of nobody": (".env.example", r"\Z", "LEFT_OVER=1\n", ".env.example: nobody uses LEFT_OVER"),
    "profile": (".env.example", r"COMPOSE_PROFILES=\w+", "COMPOSE_PROFILES=tpu", "there is no profile tpu"),
    "target": ("prometheus/prometheus.yml", r"\[server\]", "[prefect]", "prometheus.yml: there is no service prefect"),
    "target's port": ("prometheus/prometheus.yml", r"port: 8788", "port: 8789", "goes to dask-worker:8789"),
    "reason": ("prometheus/rules.yml", "sign_in_required", "sign_in", "has no reason sign_in"),
    "metric in a rule": ("prometheus/rules.yml", "channelscribe_due", "channelscribe_waiting", "nobody gives"),
    "metric in a panel": (
        "grafana/dashboards/channelscribe.json",
        "dask_scheduler_tasks",
        "dask_scheduler_task",
        "nobody",
    ),
    "state": ("grafana/dashboards/channelscribe.json", r"published(?=.\"})", "public", "has no state public"),
    "job": ("prometheus/rules.yml", 'job="postgres"', 'job="database"', "has no job database"),
    "source": ("grafana/provisioning/datasources/prometheus.yaml", "uid: prometheus", "uid: other", "not provisioned"),
    "password in a URL": ("nginx/certificate.sh", r"\Z", "# https://me:" + "geheim@host/\n", "a URL with a password"),
}


@pytest.mark.parametrize("name", IN_FILES)
def test_a_fault_in_a_file_is_found(copy: Path, name: str) -> None:
    file, old, new, message = IN_FILES[name]
    text = (copy / file).read_text()
    changed = re.sub(old, lambda _: new, text)
    assert changed != text
    (copy / file).write_text(changed)
    found = found_in(Tree(copy))
    assert any(message in each for each in found), found


OF_PROGRAMS: dict[str, tuple[str, str, str, str]] = {
    "nginx -t": ("nginx/channelscribe.conf.template", "proxy_http_version 1.1;", "proxy_htp_version 1.1;", "proxy_htp"),
    "promtool": ("prometheus/rules.yml", "expr: up == 0", "expr: up == == 0", "parse error"),
    "sh -n": ("prometheus/start.sh", "esac", "", "start.sh"),
}
OF_LINTERS: dict[str, tuple[str, str, str, str]] = {
    "hadolint": ("Dockerfile", "WORKDIR /src", "WORKDIR src", "DL3000"),
    "yamllint": (
        "prometheus/prometheus.yml",
        "rule_files: [rules.yml]",
        "rule_files:   [rules.yml]",
        "too many spaces",
    ),
    "dclint": ("compose.yaml", "name: channelscribe", "version: '3'\nname: channelscribe", "version"),
    "docker compose config": ("compose.yaml", "restart: unless-stopped", "restrt: unless-stopped", "restrt"),
}


def one_program(docker: Path, name: str, fault: tuple[str, str, str, str]) -> None:
    """Nothing on the tree as it is; the fault when it is planted."""
    file, old, new, message = fault
    try:
        assert list(PROGRAMS[name](Tree(docker))) == []
        text = (docker / file).read_text()
        assert old in text
        (docker / file).write_text(text.replace(old, new))
        found = list(map(str, PROGRAMS[name](Tree(docker))))
    except Skipped as reason:
        pytest.skip(str(reason))
    assert any(message in each for each in found), found


@pytest.mark.parametrize("name", OF_PROGRAMS)
def test_a_fault_that_a_program_finds(copy: Path, name: str) -> None:
    one_program(copy, name, OF_PROGRAMS[name])


@pytest.mark.long
@pytest.mark.parametrize("name", OF_LINTERS)
def test_a_fault_that_a_linter_finds(copy: Path, name: str) -> None:
    one_program(copy, name, OF_LINTERS[name])


def test_help_of_a_real_program_is_asked() -> None:
    help_of_worker = commands.told_by(("dask", "worker"))
    assert help_of_worker and "--tls-ca-file" in help_of_worker
    assert commands.told_by(("dask", "wroker")) is None


def test_variables_are_filled_in_as_compose_does() -> None:
    text = "$A ${A} ${B:-b} ${B-b} ${E:-e} ${E-e} ${B:-${A}} $${A} ${A:+there} ${B:+there}"
    assert compose.filled_in(text, {"A": "a", "E": ""}) == "a a b b e  a ${A} there "
    with pytest.raises(compose.MissingVariable, match="B is not set: set it"):
        compose.filled_in({"x": ["${B:?set it}"]}, {"A": "a"})
    assert [use.name for use in compose.uses("$A ${B:-${C}} $$D")] == ["A", "B", "C"]
