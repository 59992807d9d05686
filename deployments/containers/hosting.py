"""What a container runs, as a command of this machine: arguments, environment, and scripts under their names.

Of our images that is what compose.yaml and the Dockerfile say; in place of others stands `stand_ins`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from deployments.containers.compose import Service
from deployments.containers.places import Places
from deployments.containers.stand_ins import STAND_INS, Command, running


@dataclass(frozen=True)
class Host:
    """`settings` is what `settings.env` would hold."""

    places: Places
    settings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def services(self) -> dict[str, Service]:
        """Those that can run here."""
        here = running(self.places)
        return {name: service for name, service in self.places.tree.compose.services.items() if name in here}

    def command(self, service: Service) -> Command:
        """Makes ready what it needs, too."""
        self.places.home(service.name).mkdir(parents=True, exist_ok=True)
        self.places.log(service.name).parent.mkdir(parents=True, exist_ok=True)
        self.places.prepare(service)
        environment = self.environment(service)
        if service.name in STAND_INS:
            return STAND_INS[service.name](self.places, service, environment)
        return self.words(service), environment, {}

    def words(self, service: Service) -> list[str]:
        """On all addresses there means on its own here."""
        words = [self.places.here(service, word) for word in self.places.tree.start(service)]
        own = ["--host", self.places.address(service.name)]
        if "dask scheduler" in " ".join(words):
            words += own
        return [word.replace("exec dask worker ", f"exec dask worker {' '.join(own)} ") for word in words]

    def health_check(self, service: Service) -> list[str]:
        return [self.places.here(service, word) for word in service.health_check]

    def environment(self, service: Service) -> dict[str, str]:
        """Nothing of the caller's: what the image and compose.yaml give, and what a container has by itself."""
        given = {**(self.settings if service.own.get("env_file") else {}), **self.places.tree.environment(service)}
        found = {name: self.places.here(service, value) for name, value in given.items()}
        path = [str(self.programs), str(Path(sys.executable).parent), os.defpath, "/usr/sbin", "/sbin"]
        own = {
            "PATH": os.pathsep.join(path),
            "HOME": str(self.places.home(service.name) / "tmp"),
            "HOSTNAME": service.name,
            # By which whatever is left of a stack can be found.
            "STARTED_IN": str(self.places.folder),
        }
        return {"LANG": "C.UTF-8", **found, **own}

    @cached_property
    def programs(self) -> Path:
        """Scripts of the images under the names that they have there; the health check looks at its own service."""
        folder = self.places.folder / "programs"
        folder.mkdir(exist_ok=True)
        docker = self.places.tree.docker
        shutil.copy(docker / "entrypoint.sh", folder / "entrypoint")
        text = (docker / "health.py").read_text(encoding="utf-8")
        text = text.replace("socket.gethostname()", "os.environ['HOSTNAME']")
        for name in self.services:
            (folder / f"health-{name}").write_text(text.replace("127.0.0.1", self.places.address(name)))
        (folder / "health").write_text(f'#!/bin/sh\nexec {sys.executable} "{folder}/health-$HOSTNAME" "$@"\n')
        for name in ("entrypoint", "health"):
            (folder / name).chmod(0o755)
        return folder
