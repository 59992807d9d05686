"""Writes the pages of docs/reference that repeat the code: `make docs`, or `python docs/generate.py`.

`commands.md` comes from the parser of the command line, `settings.md` from the settings' model, `api.md` from the
OpenAPI document of the reading room. A test compares the files with what this makes, so a new option is documented by
its help text and a run of this.
"""

from __future__ import annotations

import argparse
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from channelscribe.settings import Settings
from flows.cli import commands_of, parser

REFERENCE = Path(__file__).parent / "reference"
MADE = "<!-- Made by docs/generate.py: change the code, then run `make docs`. -->\n"
COMMON = ("--help", "--json", "--set")
NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", SecretStr: "secret"}

COMMANDS_HEAD = """# Commands

`channelscribe COMMAND --help` says the same on the terminal. How to use them is in the [how-to pages](../README.md).

Every command knows `--json` (one JSON object on stdout and nothing else there; progress goes to stderr), `--set
KEY=VALUE` (a [setting](settings.md) for this run; may be repeated) and `--help`.

| exit code | means |
|---|---|
| 0 | done |
| 1 | could not do it; stderr says why and what to do |
| 2 | wrong usage |
| 3 | done, but some videos failed; the rest is kept |
| 130 | interrupted; the same command continues where it was |
"""

SETTINGS_HEAD = """# Settings

Later places win:

| place | good for |
|---|---|
| `config.yaml` of the package | the defaults on this page |
| what Prefect is set to (`PREFECT_API_URL`, its active profile) | `prefect.api_url` |
| `~/.config/channelscribe/config.yaml` (or in `$XDG_CONFIG_HOME`) | you, in all folders |
| `channelscribe.yaml` in the working folder, or the file `CHANNELSCRIBE_CONFIG` names | one library |
| `.env` in that folder, lines such as `CHANNELSCRIBE_SPEECH__MODEL=small` | secrets |
| the environment, in the same form | a service, a container |
| the Prefect variable `channelscribe_settings` | runs on a server, from the next one on |
| `--set speech.model=small` | one command |

`channelscribe config show` prints each value and where it came from. An unknown key is an error, and secrets are never
printed. A relative path starts at the working folder (or at `CHANNELSCRIBE_FOLDER`). A `config.yaml` in the working
folder belongs to somebody else and is not read.
"""

API = "/api/v1"
API_HEAD = """# API

Served by `channelscribe serve`; paths begin with `/api/v1`. `/api/v1/openapi.json` is the whole description with types
and examples, for programs. [The reading room](../reading-room.md#the-api) explains logins, pages, caching and failures.
"""


def commands() -> str:
    """The page of the command line."""
    known = commands_of(parser())
    summaries = "".join(f"| [`{name}`](#{name}) | {each.description} |\n" for name, each in known.items())
    pages = "".join(_command(name, each) for name, each in known.items())
    return f"{MADE}\n{COMMANDS_HEAD}\n| command | does |\n|---|---|\n{summaries}{pages}"


def _command(name: str, command: argparse.ArgumentParser) -> str:
    within = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    own = [action for action in command._actions if not _is_common(action) and action not in within]
    shown = " ".join([f"channelscribe {name}", *map(_in_usage, own), *("…" for _ in within)])
    head = f"\n{'##' if ' ' not in name else '###'} {name}\n\n{_sentence(command.description or '')}\n"
    usage = "" if within and not own else f"\n    {shown}\n"
    table = "".join(f"| `{_cell(_spelled(action))}` | {_cell(action.help or '')} |\n" for action in own)
    rows = f"\n| argument | is |\n|---|---|\n{table}" if own else ""
    inner = "".join(_command(f"{name} {each}", made) for each, made in (commands_of(command) if within else {}).items())
    return head + usage + rows + inner


def _is_common(action: argparse.Action) -> bool:
    return any(option in COMMON for option in action.option_strings)


def _spelled(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(action.choices) if action.choices else "") or action.dest.upper()
    if not action.option_strings:
        return str(value)
    return ", ".join(action.option_strings) + (f" {value}" if action.nargs != 0 else "")


def _in_usage(action: argparse.Action) -> str:
    spelled = _spelled(action) + (" …" if action.nargs == "+" else "")
    required = action.required if action.option_strings else action.nargs != "?"
    return spelled if required else f"[{spelled}]"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def settings() -> str:
    """The page of the settings: a table for each section."""
    rows: dict[str, list[str]] = {}
    for key, field in fields(Settings):
        section = key.partition(".")[0] if "." in key else "top level"
        row = f"| `{key}` | {_cell(kind(field.annotation))} | {default(field)} | {_cell(field.description or '')} |\n"
        rows.setdefault(section, []).append(row)
    head = "| key | kind | default | meaning |\n|---|---|---|---|\n"
    tables = "".join(f"\n## {section}\n\n{head}{''.join(lines)}" for section, lines in rows.items())
    return f"{MADE}\n{SETTINGS_HEAD}{tables}"


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each setting with its dotted key; a section is no setting."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def kind(annotation: Any) -> str:
    """What may stand there, for people."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(inner[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind(each) for each in inner if each is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin in (tuple, list):
        return f"list of {kind(inner[0])}"
    if origin is dict:
        return f"{kind(inner[1])} by name"
    return NAMES.get(annotation) or getattr(annotation, "__name__", str(annotation))


def default(field: FieldInfo) -> str:
    """As YAML writes it; a dash where there is none."""
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, []):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, dict):
        return f"`{{{', '.join(f'{name}: {each}' for name, each in value.items())}}}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def api() -> str:
    """The page of the read API: its requests with their parameters."""
    document = api_document()
    pages = "".join(
        _request(method.upper(), path, made, document)
        for path, methods in document["paths"].items()
        for method, made in methods.items()
    )
    return f"{MADE}\n{API_HEAD}{pages}"


def api_document() -> dict[str, Any]:
    """As `/api/v1/openapi.json` answers; nothing of the room is asked for, so none of it need be there."""
    from fastapi import FastAPI

    from channelscribe.catalogue.connection import Database
    from channelscribe.store import MediaStore
    from channelscribe.web.access import Logins
    from channelscribe.web.api import api as router
    from channelscribe.web.app import Room

    with tempfile.TemporaryDirectory() as folder:
        nowhere = Database("postgresql://nobody@127.0.0.1:9/nothing")
        place = Path(folder)
        room = Room(nowhere, MediaStore(folder), Settings(data_dir=place), Logins(place / "logins.json"), "127.0.0.1")
        app = FastAPI()
        app.include_router(router(room))
        return app.openapi()


def _request(method: str, path: str, made: dict[str, Any], document: dict[str, Any]) -> str:
    about = " ".join((made.get("description") or made["summary"]).split())
    rows = [_parameter(each) for each in made.get("parameters", [])]
    body = made.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    rows += [
        f"| `{name}` | in the body | {_cell(field.get('description') or field.get('title') or '')} |\n"
        for name, field in _properties(body, document).items()
    ]
    table = f"\n| parameter | where | meaning |\n|---|---|---|\n{''.join(rows)}" if rows else ""
    answers = ", ".join(sorted(made["responses"]))
    return f"\n## {method} {path.removeprefix(API)}\n\n{_sentence(about)} Answers: {answers}.\n{table}"


def _parameter(given: dict[str, Any]) -> str:
    says = given.get("description") or given["schema"].get("description") or ""
    return f"| `{given['name']}` | {given['in']} | {_cell(says)} |\n"


def _properties(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body, which is an object of its own or a reference to one."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found: dict[str, Any] = schema.get("properties", {})
    return found


PAGES = {"commands.md": commands, "settings.md": settings, "api.md": api}


def main() -> None:
    for name, made in PAGES.items():
        (REFERENCE / name).write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    main()
