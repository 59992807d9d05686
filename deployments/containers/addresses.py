"""Does every `service:port` that is named somewhere lead to a service that listens there, over a network of both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from deployments.containers.compose import Service
from deployments.containers.tree import Finding, Tree

DEFAULT_PORTS = {"postgres": 5432, "seaweedfs": 8333, "grafana": 3000, "prometheus": 9090}
DEFAULT_PORTS |= {"postgres-exporter": 9187, "dcgm-exporter": 9400}
"""Of images that are not ours and are not told another, by the last part of their name."""

OWN_PORT = re.compile(
    r"(?:--(?:port|dashboard-address|listen|listen-address)[= ]\S*?:?|0\.0\.0\.0:)(?P<port>\d{2,5})\b"
)
ASKED = re.compile(r"(?:127\.0\.0\.1|localhost):(?P<port>\d{2,5})")


def addresses(tree: Tree) -> Iterator[Finding]:
    names = "|".join(sorted(map(re.escape, tree.compose.services), key=len, reverse=True))
    named = re.compile(rf"(?<![\w.-])(?P<host>{names}):(?P<port>\d{{2,5}})\b")
    for service in tree.compose.services.values():
        told = [*tree.environment(service).values(), *tree.start(service), *tree.health_check(service)]
        for found in named.finditer(" ".join(told)):
            yield from leads(tree, service, found["host"], int(found["port"]))
        asked = {int(port) for port in ASKED.findall(" ".join(tree.health_check(service)))}
        for port in sorted(asked - ports(tree, service)):
            if service.target:
                yield Finding(service.name, f"its health check asks port {port}, where it does not listen")
        for published in service.own.get("ports") or []:
            inside = int(str(published).rpartition(":")[2].partition("/")[0])
            if inside not in ports(tree, service):
                yield Finding(service.name, f"publishes port {inside}, where it does not listen")
    yield from watched(tree)


def leads(tree: Tree, service: Service, host: str, port: int) -> Iterator[Finding]:
    other = tree.compose.services[host]
    if port not in ports(tree, other):
        yield Finding(service.name, f"goes to {host}:{port}, where {host} does not listen")
    mine, theirs = (set(each.own.get("networks") or []) for each in (service, other))
    if not mine & theirs:
        yield Finding(service.name, f"goes to {host}, with which it has no network in common")


def ports(tree: Tree, service: Service) -> set[int]:
    """Where it listens, as far as its command, its environment and its image say so."""
    image = str(service.own.get("image") or "").partition(":")[0].rpartition("/")[2]
    found = {DEFAULT_PORTS[image]} if image in DEFAULT_PORTS else set()
    found |= {int(each["port"]) for each in OWN_PORT.finditer(" ".join(tree.start(service)))}
    if service.target:
        exposed = tree.dockerfile.first(service.target, "ports")
        found |= {int(port) for port in exposed if not tree.is_ours(service)}
        found |= {int(value) for name, value in service.environment.items() if name.startswith("LISTEN")}
    return found


def watched(tree: Tree) -> Iterator[Finding]:
    """Prometheus' targets, and Grafana's source."""
    services = tree.compose.services
    watcher = services.get("prometheus")
    targets = list(targets_of(tree.prometheus))
    for host, port in targets if watcher else []:
        if host in ("localhost", "127.0.0.1"):
            continue
        if host not in services:
            yield Finding("prometheus.yml", f"there is no service {host}")
        elif watcher:
            yield from leads(tree, watcher, host, port)
    for path in sorted((tree.docker / "grafana/provisioning/datasources").glob("*.yaml")):
        for source in yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]:
            host, _, port = source["url"].partition("//")[2].partition(":")
            if host not in services or "grafana" not in services:
                yield Finding(path.name, f"there is no service {host}")
            else:
                yield from leads(tree, services["grafana"], host, int(port))


def targets_of(prometheus: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for job in prometheus["scrape_configs"]:
        for static in job.get("static_configs") or []:
            for target in static["targets"]:
                host, _, port = target.partition(":")
                yield host, int(port)
        for lookup in job.get("dns_sd_configs") or []:
            for name in lookup["names"]:
                yield name, int(lookup["port"])
