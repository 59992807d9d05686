"""A Dockerfile as stages: what each is made from, copies, sets, exposes and starts.

Reads what the images of this project use of the format (docs.docker.com, "Dockerfile reference"): heredocs and
`ONBUILD` are not known here.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from deployments.containers.compose import filled_in


@dataclass(frozen=True, slots=True)
class Instruction:
    line: int
    word: str
    rest: str


@dataclass(frozen=True, slots=True)
class Copied:
    """Of the build context unless `stage` names where it comes from."""

    line: int
    sources: list[str]
    target: str
    stage: str | None = None


@dataclass(slots=True)
class Stage:
    name: str
    line: int
    base: str
    environment: dict[str, str] = field(default_factory=dict)
    copied: list[Copied] = field(default_factory=list)
    binds: list[tuple[int, str]] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    user: str = ""
    health_check: list[str] = field(default_factory=list)
    runs: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    path: Path
    stages: dict[str, Stage]

    def line_of(self, name: str) -> list[Stage]:
        """A stage and those that it is made from, itself first."""
        found = []
        while stage := self.stages.get(name):
            found.append(stage)
            name = stage.base
        return found

    def environment(self, name: str) -> dict[str, str]:
        return {key: value for stage in reversed(self.line_of(name)) for key, value in stage.environment.items()}

    def first(self, name: str, key: str) -> list[str]:
        """`entrypoint`, `command`, `health_check` or `ports` of the nearest stage that says something of it."""
        return next((list(getattr(stage, key)) for stage in self.line_of(name) if getattr(stage, key)), [])

    def user(self, name: str) -> str:
        return next((stage.user for stage in self.line_of(name) if stage.user), "")

    def copied(self, name: str) -> list[Copied]:
        return [copied for stage in self.line_of(name) for copied in stage.copied]


def read(path: Path) -> Dockerfile:
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for each in instructions(path.read_text(encoding="utf-8")):
        if each.word == "ARG" and stage is None:
            name, _, value = each.rest.partition("=")
            arguments[name.strip()] = value.strip("\"' ")
        elif each.word == "FROM":
            words = [word for word in each.rest.split() if not word.startswith("--")]
            base = str(filled_in(words[0], arguments))
            name = words[2] if len(words) == 3 else str(len(stages))
            stage = stages[name] = Stage(name, each.line, base)
        elif stage is not None:
            take(stage, each)
    return Dockerfile(path, stages)


def instructions(text: str) -> list[Instruction]:
    """With lines that go on joined, and comments, in between too, left out."""
    found: list[Instruction] = []
    begun: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(#|$)", line):
            continue
        start = start if begun else number
        begun.append(line.rstrip().removesuffix("\\").strip())
        if not line.rstrip().endswith("\\"):
            word, _, rest = " ".join(begun).partition(" ")
            found.append(Instruction(start, word.upper(), rest.strip()))
            begun = []
    return found


def take(stage: Stage, each: Instruction) -> None:
    match each.word:
        case "ENV":
            stage.environment |= {name: value for name, _, value in (w.partition("=") for w in shlex.split(each.rest))}
        case "COPY" | "ADD":
            words = shlex.split(each.rest)
            flags = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
            places = [word for word in words if not word.startswith("--")]
            stage.copied.append(Copied(each.line, places[:-1], places[-1], flags.get("from")))
        case "RUN":
            for options in re.findall(r"--mount=(\S+)", each.rest):
                chosen = dict(option.partition("=")[::2] for option in options.split(","))
                if chosen.get("type", "bind") == "bind" and "from" not in chosen:
                    stage.binds.append((each.line, chosen.get("source", ".")))
            stage.runs.append((each.line, re.sub(r"--mount=\S+\s*", "", each.rest)))
        case "EXPOSE":
            stage.ports += each.rest.split()
        case "USER":
            stage.user = each.rest
        case "ENTRYPOINT":
            stage.entrypoint = words_of(each.rest)
        case "CMD":
            stage.command = words_of(each.rest)
        case "HEALTHCHECK":
            stage.health_check = words_of(each.rest.partition("CMD")[2].strip())
        case _:
            pass


def words_of(text: str) -> list[str]:
    return [str(word) for word in json.loads(text)] if text.startswith("[") else ["sh", "-c", text]
