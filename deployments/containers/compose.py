"""`compose.yaml` as it stands, and as it is with an environment filled in.

Fills in variables by the rules of the Compose specification ("Interpolation"): `$NAME`, `${NAME}`, `${NAME:-default}`,
`${NAME-default}`, `${NAME:?told}`, `${NAME?told}`, `${NAME:+other}`, `${NAME+other}`, and `$$` for a dollar sign.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<other>(?:[^{}]|\{[^{}]*\})*))?\})"
)


@dataclass(frozen=True, slots=True)
class Use:
    """A variable as a file uses it: what stands between its name and the other value (`:-`, `?`, ...), or nothing."""

    name: str
    how: str = ""


class MissingVariable(Exception):
    """A variable that must be set is not."""


def uses(text: str) -> Iterator[Use]:
    """All variables in a text, those in the defaults of others too."""
    for found in VARIABLE.finditer(text):
        if not found["dollar"]:
            yield Use(found["bare"] or found["name"], found["how"] or "")
            yield from uses(found["other"] or "")


def filled_in(value: Any, environment: Mapping[str, str]) -> Any:
    """The same with its variables filled in. Raises MissingVariable."""
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
        raise MissingVariable(f"{name} is not set: {other or 'it must be'}")
    if how.endswith("+"):
        return str(filled_in(other, environment)) if there else ""
    if how.endswith("-") and not there:
        return str(filled_in(other, environment))
    return environment.get(name, "")


@dataclass(frozen=True, slots=True)
class Service:
    """One service; `raw` is what the file says of it, `own` the same with variables filled in."""

    name: str
    raw: dict[str, Any]
    own: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return pairs(self.own.get("environment") or {})

    @property
    def profiles(self) -> list[str]:
        return list(self.own.get("profiles") or [])

    @property
    def needs(self) -> dict[str, str]:
        """Services that must be there before, and in which condition."""
        found = self.own.get("depends_on") or {}
        if isinstance(found, list):
            return dict.fromkeys(found, "service_started")
        return {name: (how or {}).get("condition", "service_started") for name, how in found.items()}

    @property
    def target(self) -> str | None:
        """The stage of the Dockerfile that its image is; None where the image is somebody else's."""
        build = self.own.get("build")
        return build.get("target") if isinstance(build, dict) else None

    @property
    def health_check(self) -> list[str]:
        """The words of its command, without Docker's own first word; empty where there is none."""
        test = (self.own.get("healthcheck") or {}).get("test") or []
        if isinstance(test, str):
            return ["sh", "-c", test]
        if test[:1] == ["CMD-SHELL"]:
            return ["sh", "-c", *test[1:]]
        return [] if test[:1] == ["NONE"] else list(test[1:])

    def words(self, key: str) -> list[str]:
        """`command` or `entrypoint` as a list."""
        found = self.own.get(key) or []
        return shlex.split(found) if isinstance(found, str) else [str(each) for each in found]

    @property
    def mounts(self) -> list[Mount]:
        return [mount(each) for each in self.own.get("volumes") or []]


@dataclass(frozen=True, slots=True)
class Mount:
    source: str
    target: str
    read_only: bool = False

    @property
    def is_path(self) -> bool:
        """A file or folder of the host; else the name of a volume."""
        return self.source.startswith((".", "/", "~"))


def mount(content: Any) -> Mount:
    if isinstance(content, str):
        source, _, rest = content.partition(":")
        target, _, how = rest.partition(":")
        return Mount(source, target, "ro" in how.split(","))
    return Mount(content.get("source", ""), content["target"], bool(content.get("read_only")))


def pairs(content: Any) -> dict[str, str]:
    """An `environment`, which may be a list; values as the process gets them. A name without a value is the host's."""
    if isinstance(content, list):
        content = dict(each.partition("=")[::2] for each in content)
    text = {True: "true", False: "false", None: ""}
    return {key: text[each] if isinstance(each, bool | None) else str(each) for key, each in content.items()}


@dataclass(frozen=True, slots=True)
class Compose:
    """The file `path`, whose text uses the variables that `example` (`.env.example`) names."""

    path: Path
    text: str
    raw: dict[str, Any]
    own: dict[str, Any]
    example: dict[str, str]
    services: dict[str, Service] = field(default_factory=dict)

    @property
    def profiles(self) -> list[str]:
        return sorted({profile for service in self.services.values() for profile in service.profiles})

    def running(self, *profiles: str) -> dict[str, Service]:
        """What `docker compose up` starts with these profiles."""
        return {
            name: service
            for name, service in self.services.items()
            if not service.profiles or set(service.profiles) & set(profiles)
        }


def read(path: Path, environment: Mapping[str, str] | None = None) -> Compose:
    """`environment` stands over `.env.example`. Raises MissingVariable, YAMLError and OSError."""
    text = path.read_text(encoding="utf-8")
    raw = yaml.load(text, LOADER)  # noqa: S506 - a safe loader, in C where there is one
    example = read_example(path.parent / ".env.example")
    own = filled_in(raw, {**example, **(environment or {})})
    services = {name: Service(name, raw["services"][name], own["services"][name]) for name in raw["services"]}
    return Compose(path, text, raw, own, example, services)


def read_example(path: Path) -> dict[str, str]:
    """NAME=VALUE lines, commented ones (`#NAME=VALUE`) too: those show what may be set, and are empty here."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if match := re.match(r"(?P<off>#\s?)?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", line):
            value = "" if match["off"] else re.sub(r"\s+#.*$", "", match["value"]).strip().strip("'\"")
            if not match["off"]:
                found[match["name"]] = value
            else:
                found.setdefault(match["name"], value)
    return found
