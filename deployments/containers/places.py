"""Where a container's addresses and paths are when it is a plain process on this machine.

Each service has an address of its own on loopback (127.X.Y.N, Linux has all of 127/8), so that ports stay those of
compose.yaml. Volumes, mounts and what is in memory are folders; every mention in commands and environments is replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deployments.containers.compose import Service
from deployments.containers.tree import Tree

OF_SYSTEMS = ("/", "/etc", "/var", "/var/lib", "/usr", "/opt")


@dataclass(frozen=True)
class Places:
    """Of the services of `tree`, below `folder`; `block` is the middle of their addresses, such as "31.7"."""

    tree: Tree
    folder: Path
    block: str

    def address(self, name: str) -> str:
        return f"127.{self.block}.{10 + sorted(self.tree.compose.services).index(name)}"

    def home(self, name: str) -> Path:
        """What a service has to itself."""
        return self.folder / "services" / name

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def mounted(self, service: Service) -> dict[str, Path]:
        """Container path: path here."""
        own = {"/tmp", *in_memory(service), *self.tree.made(service)}  # noqa: S108
        found = {path: self.home(service.name) / path.strip("/") for path in own}
        for mount in service.mounts:
            here = self.tree.docker / mount.source if mount.is_path else self.folder / "volumes" / mount.source
            found[mount.target] = here
            # A folder of volumes, such as /tls, which a command may name, too.
            if not mount.is_path and (above := str(Path(mount.target).parent)) not in OF_SYSTEMS:
                found.setdefault(above, self.home(service.name) / above.strip("/"))
        return found

    def prepare(self, service: Service) -> None:
        mounted = self.mounted(service)
        for path in mounted.values():
            if not path.exists():
                path.mkdir(parents=True)
        for target, path in mounted.items():
            link = mounted.get(str(Path(target).parent), path) / Path(target).name
            if str(Path(target).parent) in mounted and not link.exists():
                link.symlink_to(path)

    def here(self, service: Service, text: str) -> str:
        """A word or a value as it is on this machine."""
        mounted = self.mounted(service)
        paths = "|".join(map(re.escape, sorted(mounted, key=len, reverse=True)))
        text = re.sub(rf"(?<![\w./:-])({paths})(?=[/\s\"':,]|$)", lambda found: str(mounted[found[1]]), text)
        names = "|".join(sorted(map(re.escape, self.tree.compose.services), key=len, reverse=True))
        text = re.sub(rf"(?<![\w.-])({names})(?=:\d)", lambda found: self.address(found[1]), text)
        own = self.address(service.name)
        text = re.sub(r"(?<![\d.])(0\.0\.0\.0|127\.0\.0\.1|localhost)(?=[:\s/]|$)", own, text)
        return re.sub(r"(?<=--dashboard-address[= ]):(?=\d)", f"{own}:", text)


def in_memory(service: Service) -> list[str]:
    return [each.partition(":")[0] for each in service.own.get("tmpfs") or []]
