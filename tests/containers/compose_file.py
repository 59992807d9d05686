"""compose.yaml and the Dockerfile, as far as it takes to run their services as processes or to look at them.

Variables are filled in by the rules of the Compose specification ("Interpolation"); `.env.example` is the environment,
and what must be set is set to STAND_IN.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
STAND_IN = "standin"

VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<other>(?:[^{}]|\{[^{}]*\})*))?\})"
)


@dataclass(slots=True)
class Image:
    """A stage of the Dockerfile: what it sets, makes (`install -d`), starts and copies to where programs are."""

    environment: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    user: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """`own` is what compose.yaml says of it, variables filled in; `image` is None where that is somebody else's."""

    name: str
    own: dict[str, Any]
    image: Image | None

    @property
    def environment(self) -> dict[str, str]:
        """Of its image and its own."""
        said = {True: "true", False: "false", None: ""}
        own = {
            name: said[value] if isinstance(value, bool | None) else str(value)
            for name, value in (self.own.get("environment") or {}).items()
        }
        return {**(self.image.environment if self.image else {}), **own}

    @property
    def start(self) -> list[str]:
        """Entrypoint and command, its own or its image's."""
        image = self.image or Image()
        own, begin = words(self.own.get("command")), words(self.own.get("entrypoint"))
        return [*(begin or image.entrypoint), *(own or ([] if begin else image.command))]

    @property
    def health_check(self) -> list[str]:
        test = (self.own.get("healthcheck") or {}).get("test") or []
        return ["sh", "-c", *test[1:]] if test[:1] == ["CMD-SHELL"] else list(test[1:])

    @property
    def needs(self) -> dict[str, str]:
        """Services that must be there before, and in which condition."""
        return {name: how["condition"] for name, how in (self.own.get("depends_on") or {}).items()}

    @property
    def mounts(self) -> dict[str, str]:
        """Path in the container: the name of a volume, or a path (with a dot or slash) of the host."""
        return {target: source for source, target, *_ in (each.split(":") for each in self.own.get("volumes") or [])}

    @property
    def memory(self) -> list[str]:
        """Folders that are in memory."""
        return [each.partition(":")[0] for each in self.own.get("tmpfs") or []]


def words(said: str | list[Any] | None) -> list[str]:
    return shlex.split(said) if isinstance(said, str) else [str(each) for each in said or []]


def services(values: Mapping[str, str] | None = None) -> dict[str, Service]:
    """All of compose.yaml; `values` are over those of `.env.example`."""
    text = (DOCKER / "compose.yaml").read_text()
    environment = {**dict.fromkeys(required(text), STAND_IN), **example(), **(values or {})}
    built = images()
    content = filled_in(yaml.safe_load(text), environment)
    return {
        name: Service(name, own, built[own["build"]["target"]] if "build" in own else None)
        for name, own in content["services"].items()
    }


def required(text: str) -> set[str]:
    """Variables that must be set (`${NAME:?...}`)."""
    return {found["name"] for found in VARIABLE.finditer(text) if (found["how"] or "").endswith("?")}


def example(*, commented: bool = False) -> dict[str, str]:
    """What `.env.example` sets; with `commented` also what it only shows."""
    lines = re.findall(
        rf"(?m)^{'#? ?' if commented else ''}([A-Z][A-Z0-9_]*)=(.*)$", (DOCKER / ".env.example").read_text()
    )
    return {name: re.sub(r"\s+#.*", "", value).strip() for name, value in lines if commented or value.strip()}


def filled_in(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled_in(each, environment) for key, each in value.items()}
    if isinstance(value, list):
        return [filled_in(each, environment) for each in value]
    return VARIABLE.sub(lambda found: _value(found, environment), value) if isinstance(value, str) else value


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    name, how, other = found["bare"] or found["name"], found["how"] or "", found["other"] or ""
    there = bool(environment.get(name)) if how.startswith(":") else name in environment
    if how.endswith("?") and not there:
        raise KeyError(name)
    if how.endswith("+"):
        return str(filled_in(other, environment)) if there else ""
    if how.endswith("-") and not there:
        return str(filled_in(other, environment))
    return environment.get(name, "")


def images() -> dict[str, Image]:
    """The stages of the Dockerfile, each with what it has from those that it is made from."""
    found: dict[str, Image] = {}
    image = Image()
    for word, rest in instructions((DOCKER / "Dockerfile").read_text()):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            below = found.get(base, Image())
            image = Image(dict(below.environment), set(below.folders), below.entrypoint, below.command, below.user)
            found[name] = image
        elif word == "ENV":
            image.environment |= dict(each.split("=", 1) for each in shlex.split(rest))
        elif word == "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        elif word == "CMD":
            image.command = json.loads(rest)
        elif word == "USER":
            image.user = rest
        elif word == "RUN":
            made = re.findall(r"install -d ([^&]*)", rest)
            image.folders |= {each for words in made for each in words.split() if each.startswith("/")}
    return found


def instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, " ".join(rest.split())
