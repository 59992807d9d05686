"""Does compose.yaml hang together: volumes, networks, order, profiles, variables. As `docker compose config` would ask,
and where it does not."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.containers.tree import OF_COMPOSE, Finding, Tree

CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


def structure(tree: Tree) -> Iterator[Finding]:
    yield from places(tree)
    yield from order(tree)
    yield from profiles(tree)
    yield from variables(tree)


def places(tree: Tree) -> Iterator[Finding]:
    """Volumes and networks: what is named is defined, what is defined is used."""
    compose = tree.compose
    volumes, networks = (set(compose.own.get(key) or {}) for key in ("volumes", "networks"))
    used: dict[str, set[str]] = {"volume": set(), "network": set()}
    for service in compose.services.values():
        for mount in service.mounts:
            if not mount.is_path:
                used["volume"].add(mount.source)
                if mount.source not in volumes:
                    yield Finding(service.name, f"there is no volume {mount.source}")
            elif not (tree.docker / mount.source).exists() and mount.read_only:
                yield Finding(service.name, f"there is no {mount.source} to mount")
        for network in service.own.get("networks") or []:
            used["network"].add(network)
            if network not in networks:
                yield Finding(service.name, f"there is no network {network}")
    for kind, defined in (("volume", volumes), ("network", networks)):
        for name in sorted(defined - used[kind]):
            yield Finding("compose.yaml", f"nobody uses the {kind} {name}")


def order(tree: Tree) -> Iterator[Finding]:
    """What a service waits for is there, can come about, and does not wait for the service itself."""
    services = tree.compose.services
    for service in services.values():
        for name, condition in service.needs.items():
            if name not in services:
                yield Finding(service.name, f"waits for {name}, which there is not")
                continue
            other = services[name]
            if condition not in CONDITIONS:
                yield Finding(service.name, f"waits for {name} with an unknown condition {condition}")
            if condition == "service_healthy" and not tree.health_check(other):
                yield Finding(service.name, f"waits for {name} to be healthy, which has no health check")
            if condition == "service_completed_successfully" and other.own.get("restart") != "no":
                yield Finding(service.name, f"waits for {name} to end, which is started again when it does")
            if set(other.profiles) - set(service.profiles):
                yield Finding(service.name, f"waits for {name}, which is only there with {', '.join(other.profiles)}")
        if service.name in waited_for(tree, service.name):
            yield Finding(service.name, "waits for itself")


def waited_for(tree: Tree, name: str) -> set[str]:
    found: set[str] = set()
    ahead = list(tree.compose.services[name].needs)
    while ahead:
        other = ahead.pop()
        if other in tree.compose.services and other not in found:
            found.add(other)
            ahead += tree.compose.services[other].needs
    return found


def profiles(tree: Tree) -> Iterator[Finding]:
    chosen = tree.compose.example.get("COMPOSE_PROFILES", "")
    for name in filter(None, chosen.split(",")):
        if name not in tree.compose.profiles:
            yield Finding(".env.example", f"there is no profile {name}")


def variables(tree: Tree) -> Iterator[Finding]:
    """Those of compose.yaml and those of .env.example are the same; what must be set waits there for a value."""
    example = tree.compose.example
    used = {use.name for use in tree.uses}
    for name in sorted(used - set(example)):
        yield Finding(".env.example", f"compose.yaml uses {name}, and it is not here")
    for name in sorted(set(example) - used - OF_COMPOSE):
        yield Finding(".env.example", f"nobody uses {name}")
    for use in tree.uses:
        if use.how == "" and not example.get(use.name):
            yield Finding("compose.yaml", f"{use.name} has no value unless it is set, and need not be (`:?` or `:-`)")
