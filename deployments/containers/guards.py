"""Is every container held within bounds: what it may take, do and tell; and does no secret stand in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deployments.containers.compose import Service, uses
from deployments.containers.tree import Finding, Tree

DOOR = "nginx"
SECRET_NAME = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|ACCESS_KEY|API_KEY|AUTH_STRING|_PASS$|CREDENTIALS)")
SECRET_URL = re.compile(r"://[^/\s:@$]*:(?P<secret>[^@/\s$][^@/\s]*)@")
NOT_SECRET = {"TOKENIZERS_PARALLELISM", "GF_SECURITY_COOKIE_SECURE"}
RESTARTS = {"unless-stopped", "always", "on-failure", "no"}


def guards(tree: Tree) -> Iterator[Finding]:
    for service in tree.compose.services.values():
        yield from bounds(tree, service)
        yield from rights(tree, service)
    yield from images(tree)
    yield from secrets(tree)


def bounds(tree: Tree, service: Service) -> Iterator[Finding]:
    own = service.own
    limits = ((own.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    if not (limits.get("memory") or own.get("mem_limit")):
        yield Finding(service.name, "has no limit of memory")
    if not (limits.get("pids") or own.get("pids_limit")):
        yield Finding(service.name, "has no limit of processes")
    if str(own.get("restart")) not in RESTARTS:
        yield Finding(service.name, "has no restart policy")
    if not ((own.get("logging") or {}).get("options") or {}).get("max-size"):
        yield Finding(service.name, "writes logs without end (logging.options.max-size)")
    # What runs once is waited for by its exit code.
    if own.get("restart") != "no" and not tree.health_check(service) and not is_known_to_lack_one(service):
        yield Finding(service.name, "has no health check")


def is_known_to_lack_one(service: Service) -> bool:
    """An image with nothing in it that could ask: whether it answers is seen by Prometheus."""
    return "dcgm-exporter" in str(service.own.get("image"))


def rights(tree: Tree, service: Service) -> Iterator[Finding]:
    own = service.own
    if own.get("ports") and service.name != DOOR:
        yield Finding(service.name, f"publishes {own['ports']}; only {DOOR} may")
    if own.get("privileged") or own.get("network_mode") == "host" or own.get("pid") == "host":
        yield Finding(service.name, "has the host's rights")
    if "no-new-privileges:true" not in (own.get("security_opt") or []):
        yield Finding(service.name, "may gain privileges (security_opt: no-new-privileges:true)")
    if own.get("cap_drop") != ["ALL"]:
        yield Finding(service.name, "keeps capabilities (cap_drop: [ALL])")
    if any("docker.sock" in mount.source for mount in service.mounts):
        yield Finding(service.name, "is given Docker itself")
    user = str(own.get("user") or (tree.dockerfile.user(service.target) if service.target else ""))
    if service.target and user.partition(":")[0] in ("", "root", "0"):
        yield Finding(service.name, "runs as root")


def images(tree: Tree) -> Iterator[Finding]:
    """Each is pinned, and each of ours is a stage of the Dockerfile."""
    for service in tree.compose.services.values():
        build = service.own.get("build")
        if build:
            if service.target not in tree.dockerfile.stages:
                yield Finding(service.name, f"there is no stage {service.target} in the Dockerfile")
            path = tree.docker / build["context"] / build["dockerfile"]
            if not path.is_file():
                yield Finding(service.name, f"there is no {build['dockerfile']} in {build['context']}")
        elif not is_pinned(str(service.own.get("image") or "")):
            yield Finding(service.name, f"its image {service.own.get('image')} is not pinned to a version")
    for stage in tree.dockerfile.stages.values():
        if stage.base not in tree.dockerfile.stages and not is_pinned(stage.base):
            yield Finding("Dockerfile", f"line {stage.line}: the image {stage.base} is not pinned to a version")


def is_pinned(image: str) -> bool:
    if "@sha256:" in image:
        return True
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag != "latest" and bool(re.search(r"\d+\.\d+", tag))


def secrets(tree: Tree) -> Iterator[Finding]:
    """No value of a secret stands in a file: in compose.yaml it is a variable, in .env.example it is empty."""
    for service in tree.compose.services.values():
        raw = service.raw.get("environment") or {}
        for name, value in raw.items() if isinstance(raw, dict) else (each.partition("=")[::2] for each in raw):
            if is_secret(name) and value and not list(uses(str(value))):
                yield Finding(service.name, f"the value of {name} stands in the file")
    for name, value in tree.compose.example.items():
        if is_secret(name) and value:
            yield Finding(".env.example", f"{name} has a value; everybody would have the same")
    for stage in tree.dockerfile.stages.values():
        for name, value in stage.environment.items():
            if is_secret(name) and value:
                yield Finding("Dockerfile", f"the value of {name} would be in a layer of {stage.name}")
    for path in sorted(tree.docker.rglob("*")):
        if path.is_file() and path.name != ".env":
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                if (found := SECRET_URL.search(line)) or re.search(r"^\s*password:\s*[^\s$]", line):
                    told = "a URL with a password" if found else "a password"
                    yield Finding(str(path.relative_to(tree.docker)), f"line {number}: {told}")
                if "PRIVATE KEY-----" in line:
                    yield Finding(str(path.relative_to(tree.docker)), f"line {number}: a private key")


def is_secret(name: str) -> bool:
    return bool(SECRET_NAME.search(name)) and name not in NOT_SECRET
