"""Is every path that a container names there: copied into its image, mounted, or made in memory; and is what the
Dockerfile copies in the checkout, and let through to the build."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import PurePosixPath

from deployments import certificates
from deployments.containers.compose import Mount, Service
from deployments.containers.tree import Finding, Tree

OF_SYSTEMS = ("/dev/", "/proc/", "/usr/", "/bin/", "/etc/ssl/", "/opt/channelscribe/", "/docker-entrypoint")
NAMED = re.compile(r"(?:^|(?<=[\s=\"']))(?P<path>/[\w./-]{3,})")
CERTIFICATE_FILES = {"ca.pem", "cert.pem", "key.pem"}


def paths(tree: Tree) -> Iterator[Finding]:
    for service in tree.compose.services.values():
        told = [value for name, value in service.environment.items() if name != "PATH" and not name.endswith("_URL")]
        own = service.target is not None
        words = [*tree.start(service), *(told if own else [])]
        for path in sorted({found["path"] for word in words for found in NAMED.finditer(word)}):
            yield from place(tree, service, path)
        yield from certificates_of(service)
    yield from copied(tree)
    yield from packaged(tree)


def place(tree: Tree, service: Service, path: str) -> Iterator[Finding]:
    if path.startswith(OF_SYSTEMS):
        return
    source = tree.source_of(service, path)
    if source is not None:
        mounted = covering(service, path)
        if not source.exists() and (mounted is None or mounted.read_only):
            yield Finding(service.name, f"{path} is not there: there is no {source.name} where it comes from")
    elif covering(service, path) is None and not in_memory(service, path) and not is_made(tree, service, path):
        yield Finding(service.name, f"{path} is in no volume, and not in its image")


def covering(service: Service, path: str) -> Mount | None:
    return next((m for m in service.mounts if path == m.target or path.startswith(m.target.rstrip("/") + "/")), None)


def in_memory(service: Service, path: str) -> bool:
    places = [each.partition(":")[0] for each in service.own.get("tmpfs") or []]
    return any(path == each or path.startswith(each + "/") for each in places) or not service.own.get("read_only")


def is_made(tree: Tree, service: Service, path: str) -> bool:
    """A folder that the image is built with, or one below it; a file there would have to come from somewhere."""
    below = not PurePosixPath(path).suffix
    return any(
        path == made or (below and path.startswith(made + "/")) or made.startswith(path + "/")
        for made in tree.made(service)
    )


def certificates_of(service: Service) -> Iterator[Finding]:
    """Volumes `tls-ROLE` hold what deployments/certificates.py makes for the role."""
    for mount in service.mounts:
        role = mount.source.removeprefix("tls-")
        if mount.is_path or role == mount.source:
            continue
        if role not in {*certificates.ROLES, certificates.AUTHORITY}:
            yield Finding(service.name, f"mounts {mount.source}, and nobody makes certificates of a {role}")
        told = " ".join([*service.words("command"), *service.environment.values()])
        for name in re.findall(rf"{re.escape(mount.target)}/([\w.-]+)", told):
            if name not in CERTIFICATE_FILES:
                yield Finding(service.name, f"there is no {name} among a {role}'s certificates")


def copied(tree: Tree) -> Iterator[Finding]:
    ignored = tree.root / ".dockerignore"
    rules = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
    for stage in tree.dockerfile.stages.values():
        for each in stage.copied:
            if each.stage is not None and each.stage not in tree.dockerfile.stages:
                yield Finding("Dockerfile", f"line {each.line}: there is no stage {each.stage}")
        sources = [(each.line, source) for each in stage.copied if each.stage is None for source in each.sources]
        for line, source in [*sources, *stage.binds]:
            if not tree.here(source).exists():
                yield Finding("Dockerfile", f"line {line}: there is no {source}")
            elif is_ignored(source, rules):
                yield Finding("Dockerfile", f"line {line}: .dockerignore keeps {source} from the build")


def is_ignored(source: str, rules: list[str]) -> bool:
    """By the last rule of .dockerignore that says something of the path or of a folder above it."""
    path = PurePosixPath(source)
    names = [str(path), *(str(parent) for parent in path.parents if str(parent) != ".")]
    found = False
    for rule in (line.strip() for line in rules):
        if rule and not rule.startswith("#"):
            pattern = rule.removeprefix("!").strip("/").removeprefix("**/")
            if any(fnmatch(name, pattern) for name in names):
                found = not rule.startswith("!")
    return found


def packaged(tree: Tree) -> Iterator[Finding]:
    """The stage that builds the wheel has all that the wheel is made of."""
    wheel = tomllib.loads((tree.root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    wanted = {*wheel["targets"]["wheel"]["packages"], *wheel["targets"]["wheel"]["force-include"], "pyproject.toml"}
    builds = [stage for stage in tree.dockerfile.stages.values() if any("uv build" in run for _, run in stage.runs)]
    for stage in builds:
        there = {source for each in stage.copied for source in each.sources}
        for name in sorted(wanted - there):
            yield Finding("Dockerfile", f"the stage {stage.name} builds the wheel without {name}")
