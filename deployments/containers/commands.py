"""Is every command of a container there: programs, modules, subcommands and options, and checks of `health.py`.

Programs of images that are not ours cannot be looked at from here: they are compared with what those are known to have.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from deployments.containers.compose import Service
from deployments.containers.tree import Finding, Tree

SHELL = {"sh", "bash", "exec", "test", "grep", "cat", "find", "mkdir", "true"}
OF_OTHERS = {
    "nginx": {"curl", "nginx", "openssl"},
    "postgres": {"postgres", "psql", "pg_isready"},
    "seaweedfs": {"weed", "wget"},
    "prometheus": {"prometheus", "promtool", "wget"},
    "grafana": {"grafana", "wget", "curl"},
    "postgres-exporter": {"postgres_exporter", "wget"},
    "dcgm-exporter": {"dcgm-exporter"},
}
WITH_SUBCOMMANDS = {"prefect": 2, "dask": 1, "channelscribe": 1}
"""How many words after the program are subcommands: as many as are no options, at most these."""

Help = Callable[[tuple[str, ...]], str | None]


def commands(tree: Tree, help_of: Help | None = None) -> Iterator[Finding]:
    help_of = help_of or told_by
    for service in tree.compose.services.values():
        starts = [tree.start(service), tree.health_check(service)]
        for words in (each for start in starts for each in simple(start)):
            yield from command(tree, service, words, help_of)


def simple(words: list[str]) -> Iterator[list[str]]:
    """The commands that a start consists of: an entrypoint hands its words on, a shell runs what it is given."""
    if not words:
        return
    if words[0] == "entrypoint":
        yield words[:1]
        yield from simple(words[1:])
    elif words[0] in ("sh", "bash") and words[1:2] == ["-c"]:
        begun: list[str] = []
        for token in [*shell_words(re.sub(r"\$\{?\w+\}?", "VALUE", words[2])), ";"]:
            if set(token) <= set(";&|"):
                if begun:
                    yield without_assignments(begun)
                begun = []
            else:
                begun.append(token)
    elif words[0] in ("sh", "bash"):
        yield words[1:]
    else:
        yield words


def shell_words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    return list(lexer)


def without_assignments(words: list[str]) -> list[str]:
    while words and (words[0] == "exec" or re.match(r"[A-Z_]+=", words[0])):
        words = words[1:]
    return words


def command(tree: Tree, service: Service, words: list[str], help_of: Help) -> Iterator[Finding]:
    program, *rest = words
    if program.startswith("/"):
        source = tree.source_of(service, program)
        if source is not None and not source.exists():
            yield Finding(service.name, f"there is no {source.name} to be {program}")
        return
    if not tree.is_ours(service):
        image = str(service.own.get("image") or "").partition(":")[0].rpartition("/")[2]
        image = "nginx" if service.target else image
        if not program.startswith("-") and program not in OF_OTHERS.get(image, set()) | SHELL:
            yield Finding(service.name, f"its image is not known to have {program}")
        return
    copied = {Path(each.target).name: each for each in tree.dockerfile.copied(service.target or "")}
    if program in copied:
        yield from script(tree, service, program, rest)
    elif program == "python":
        yield from module(service, rest)
    elif program in console_scripts():
        yield from options(service, words, help_of)
    elif program not in SHELL:
        yield Finding(service.name, f"there is no program {program} in its image")


def script(tree: Tree, service: Service, program: str, rest: list[str]) -> Iterator[Finding]:
    copied = next(c for c in tree.dockerfile.copied(service.target or "") if Path(c.target).name == program)
    path = tree.here(copied.sources[0])
    if not path.is_file():
        yield Finding(service.name, f"there is no {copied.sources[0]} to be {program}")
    elif program == "health":
        checks = checks_of(path)
        if not rest or rest[0] not in checks:
            yield Finding(service.name, f"{program} knows no check {' '.join(rest)}")
        elif len(inspect.signature(checks[rest[0]]).parameters) != len(rest) - 1:
            yield Finding(service.name, f"the check {rest[0]} of {program} takes other words than {rest[1:]}")


def checks_of(path: Path) -> dict[str, Callable[..., Any]]:
    spec = importlib.util.spec_from_file_location("health_of_containers", path)
    if spec is None or spec.loader is None:
        return {}
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    checks: dict[str, Callable[..., Any]] = loaded.CHECKS
    return checks


def module(service: Service, rest: list[str]) -> Iterator[Finding]:
    if rest[:1] == ["-m"] and not is_module(rest[1]):
        yield Finding(service.name, f"there is no module {rest[1]}")


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def options(service: Service, words: list[str], help_of: Help) -> Iterator[Finding]:
    """Subcommands and options are those that the program's own help tells."""
    program, *rest = words
    if program == "uvicorn":
        for place in (word for word in rest if re.fullmatch(r"[\w.]+:\w+", word)):
            where, _, name = place.partition(":")
            if not is_module(where) or not hasattr(importlib.import_module(where), name):
                yield Finding(service.name, f"there is no {place}")
    subcommands = []
    for word in rest[: WITH_SUBCOMMANDS.get(program, 0)]:
        if word.startswith("-"):
            break
        subcommands.append(word)
    told = help_of((program, *subcommands))
    if told is None:
        yield Finding(service.name, f"there is no command {' '.join([program, *subcommands])}")
        return
    for option in (word.partition("=")[0] for word in rest if word.startswith("--")):
        if not re.search(rf"(?<![\w-]){option}(?![\w-])", told):
            yield Finding(service.name, f"{' '.join([program, *subcommands])} has no option {option}")


@cache
def console_scripts() -> set[str]:
    return {each.name for each in entry_points(group="console_scripts")}


@cache
def told_by(words: tuple[str, ...]) -> str | None:
    """What `WORDS --help` prints; None where it says that there is no such thing."""
    argv = [str(Path(sys.executable).with_name(words[0])), *words[1:], "--help"]
    with tempfile.TemporaryDirectory() as home:
        environment = {"COLUMNS": "300", "HOME": home, "PREFECT_HOME": home}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120, env=environment)
    return done.stdout if done.returncode == 0 else None
