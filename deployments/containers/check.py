"""`make containers-check`: everything about the containers that can be told without building them.

Says of each check what it found, and of each that could not be made why. Exit code 1 where anything was found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import yaml

from deployments.containers.addresses import addresses
from deployments.containers.commands import commands
from deployments.containers.compose import MissingVariable
from deployments.containers.dashboards import dashboards
from deployments.containers.guards import guards
from deployments.containers.paths import paths
from deployments.containers.programs import PROGRAMS, Skipped
from deployments.containers.structure import structure
from deployments.containers.tree import ROOT, Finding, Tree
from deployments.containers.variables import variables

Check = Callable[[Tree], Iterator[Finding]]

OWN: dict[str, Check] = {
    "structure of compose.yaml": structure,
    "limits, rights, secrets": guards,
    "environment variables": variables,
    "commands and health checks": commands,
    "ports and networks": addresses,
    "paths": paths,
    "names in rules and dashboards": dashboards,
}


def main(arguments: list[str]) -> int:
    if arguments:
        sys.stderr.write("Usage: python -m deployments.containers.check\n")
        return 2
    if not (ROOT / "docker/compose.yaml").is_file():
        sys.stderr.write("There is no docker/compose.yaml: this checks a checkout of channelscribe.\n")
        return 2
    tree = Tree(ROOT / "docker")
    failed, skipped = [], []
    for name, check in (OWN | PROGRAMS).items():
        try:
            found = list(check(tree))
        except Skipped as reason:
            skipped.append(name)
            say(f"SKIPPED  {name}: {reason}")
            continue
        except (MissingVariable, yaml.YAMLError, OSError) as error:
            found = [Finding("docker/", f"cannot be read: {error}")]
        failed += [name] if found else []
        say(f"{'WRONG   ' if found else 'ok      '} {name}")
        for each in found:
            say(f"           {each}")
    say(f"{len(failed)} of {len(OWN | PROGRAMS)} checks found something, {len(skipped)} could not be made")
    return 1 if failed else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
