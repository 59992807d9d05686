"""What is looked at: the files of `docker/` in a checkout, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from deployments.containers import compose, dockerfile
from deployments.containers.compose import Compose, Service, Use
from deployments.containers.dockerfile import Dockerfile

ROOT = Path(__file__).parent.parent.parent
STAND_IN = "standin"
"""What a variable is that somebody has to set, while files are only looked at."""

OF_COMPOSE = {"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_FILE"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, and where."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Tree:
    """A checkout at `root`; `docker` is its folder `docker/`, or a copy of it; `values` is what `.env` would hold."""

    docker: Path
    root: Path = ROOT
    values: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def compose(self) -> Compose:
        """With every variable that has no value in `.env.example` set to something."""
        path = self.docker / "compose.yaml"
        example = compose.read_example(self.docker / ".env.example")
        unset = {use.name for use in self.uses if use.how.endswith("?") and not example.get(use.name)}
        return compose.read(path, dict.fromkeys(unset, STAND_IN) | dict(self.values))

    @cached_property
    def uses(self) -> list[Use]:
        text = (self.docker / "compose.yaml").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        return list(compose.uses("\n".join(lines)))

    @cached_property
    def dockerfile(self) -> Dockerfile:
        return dockerfile.read(self.docker / "Dockerfile")

    def is_ours(self, service: Service) -> bool:
        """Whether its image has Python and channelscribe's dependencies in it."""
        lines = self.dockerfile.line_of(service.target) if service.target else []
        return any(stage.name == "deps" for stage in lines)

    def environment(self, service: Service) -> dict[str, str]:
        """Of its image and its own."""
        there = self.dockerfile.environment(service.target) if service.target else {}
        return {**there, **service.environment}

    def start(self, service: Service) -> list[str]:
        """The words that it is started with: entrypoint and command, its own or its image's."""
        words = service.words("entrypoint")
        begin = words or (self.dockerfile.first(service.target, "entrypoint") if service.target else [])
        own = service.words("command")
        if not own and service.target and not words:
            own = self.dockerfile.first(service.target, "command")
        return [*begin, *own]

    def health_check(self, service: Service) -> list[str]:
        there = self.dockerfile.first(service.target, "health_check") if service.target else []
        return service.health_check or there

    def made(self, service: Service) -> set[str]:
        """Folders that its image is built with (`install -d`)."""
        stages = self.dockerfile.line_of(service.target) if service.target else []
        runs = [run for stage in stages for _, run in stage.runs if "install -d" in run]
        return {word for run in runs for word in run.split() if word.startswith("/") and "/nologin" not in word}

    @cached_property
    def prometheus(self) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load((self.docker / "prometheus/prometheus.yml").read_text("utf-8"))
        return content

    def source_of(self, service: Service, path: str) -> Path | None:
        """The file of this checkout that is at `path` in the container, whether it is mounted or copied there."""
        for mount in service.mounts:
            if mount.is_path and (path == mount.target or path.startswith(mount.target.rstrip("/") + "/")):
                return self.docker / mount.source / path[len(mount.target) :].lstrip("/")
        for copied in self.dockerfile.copied(service.target) if service.target else []:
            if copied.stage is None and path == copied.target and len(copied.sources) == 1:
                return self.here(copied.sources[0])
        return None

    def here(self, source: str) -> Path:
        """A path of the build context."""
        inside = source.removeprefix("docker/")
        return self.docker / inside if inside != source else self.root / source
