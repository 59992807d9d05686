"""The one place that reads configuration: layers are merged, validated and explained.

Order, later wins: `config.yaml`, the packaged defaults < for `prefect.api_url` what Prefect itself is set to
(`prefect_profile`) < a person's own `channelscribe/config.yaml` in XDG_CONFIG_HOME
(`~/.config`) < `channelscribe.yaml` in the folder they work in, or the file that CHANNELSCRIBE_CONFIG names < what
begins with CHANNELSCRIBE_ in that folder's `.env` < the same in the environment < the Prefect variable
`channelscribe_settings` (handed in by the caller: this floor knows no Prefect) < the parameters of a run.
`CHANNELSCRIBE_SPEECH__MODEL=small` sets `speech.model`; two underscores stand for the dot.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from channelscribe.errors import InvalidSetting, UnknownSetting, did_you_mean
from channelscribe.project import FOLDER, THROUGH, project_folder
from channelscribe.settings.options import Settings
from channelscribe.settings.prefect_profile import prefects_own

try:
    from yaml import CSafeLoader as SafeLoader  # twenty times as fast
except ImportError:  # a PyYAML without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

PREFIX = "CHANNELSCRIBE_"
CONFIG_VARIABLE = "CHANNELSCRIBE_CONFIG"
WORKING_FILE = "channelscribe.yaml"
NO_SETTINGS = (CONFIG_VARIABLE, FOLDER, THROUGH)
"""They say where settings are, and what our processes are started with."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting: dotted key, value as text (secrets masked) and the layer that it came from."""

    key: str
    value: str
    origin: str


def packaged_config() -> Path:
    """The committed defaults."""
    return project_folder() / "config.yaml"


def _own_file(environ: Mapping[str, str]) -> Path | None:
    """The person's own settings, in all folders. XDG: a relative path there is none."""
    configured = Path(environ.get("XDG_CONFIG_HOME", ""))
    home = configured if configured.is_absolute() else Path(environ.get("HOME", "")) / ".config"
    file = home / "channelscribe" / "config.yaml"
    return file if home.is_absolute() and file.is_file() else None


def _is_of_older_release(file: Path) -> bool:
    """Whether this `config.yaml` was written for channelscribe, which once read it: all that it sets is ours."""
    if not file.is_file() or file.resolve() == packaged_config().resolve():
        return False
    try:
        values = _read_yaml(file)
        Settings.model_validate(values)
    except (InvalidSetting, ValidationError):
        return False
    return bool(values)


class SettingsRegistry:
    """Resolves settings from all layers.

    `environ` and `folder` (the one that a person works in) are parameters so that tests need no monkeypatching; by
    default the process environment, and what it names as FOLDER or the working directory. `notes` are for people: what
    they may take for settings and is not read.
    """

    layers: list[tuple[str, dict[str, Any]]]

    def __init__(
        self,
        *,
        dynamic: Mapping[str, Any] | None = None,
        run: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self.folder = folder or Path(environ.get(FOLDER) or Path.cwd())
        self.notes: list[str] = []
        dotenv = self._read_dotenv()
        self.layers = [("config.yaml (default)", _read_yaml(packaged_config()))]
        if own := prefects_own(environ):
            self.layers.append((own.origin, {"prefect": {"api_url": own.api_url}}))
        for file in filter(None, (_own_file(environ), self._working_file({**dotenv, **environ}))):
            self.layers.append((str(file), _read_yaml(file)))
        self.layers.append((".env", _from_environment(dotenv)))
        self.layers.append(("environment", _from_environment(environ)))
        if dynamic:
            self.layers.append(("Prefect variable channelscribe_settings", nest(dynamic)))
        if run:
            self.layers.append(("run parameter", nest(run)))

    def _read_dotenv(self) -> dict[str, str]:
        """Ours in `.env`. The file may be somebody else's, whatever is in it."""
        file = self.folder / ".env"
        try:
            text = file.read_bytes().decode("utf-8-sig", "replace") if file.exists() and not file.is_dir() else ""
        except OSError as error:
            self.notes.append(f"{file} is not read: {error.strerror}.")
            text = ""
        values = dotenv_values(stream=io.StringIO(text))
        ours = {name: value for name, value in values.items() if name.upper().startswith(PREFIX) and value is not None}
        holes = "\0" in "".join(ours.values())
        if holes or (not ours and PREFIX in text.replace("\0", "") and "\0" in text):  # the latter is UTF-16
            raise InvalidSetting(f"{file} holds settings of ours, and is no UTF-8 text.", remedy="Save it as UTF-8.")
        return ours

    def _working_file(self, environ: Mapping[str, str]) -> Path | None:
        named = environ.get(CONFIG_VARIABLE)
        file = self.folder / Path(named or WORKING_FILE).expanduser()
        if file.is_file():
            return file
        if named:
            raise InvalidSetting(f"{CONFIG_VARIABLE} names {file}, which is not a file.", remedy="Correct it.")
        if _is_of_older_release(self.folder / "config.yaml"):
            self.notes.append(
                f"{self.folder / 'config.yaml'} is not read any more: settings of a folder are in {WORKING_FILE}. "
                "Rename it if it is channelscribe's."
            )
        return None

    def resolve(self) -> Settings:
        """The settings that hold. Raises UnknownSetting or InvalidSetting, naming key, origin and remedy."""
        merged: dict[str, Any] = {}
        for _, values in self.layers:
            merged = _merge(merged, values)
        try:
            return _absolute(Settings.model_validate(merged), self.folder)
        except ValidationError as error:
            raise self._explain_error(error) from None

    def explain(self) -> list[Explained]:
        """Each setting with its value and the layer it came from, in the order of the model."""
        settings = self.resolve()
        return [Explained(key, _shown(value), self._origin(key)) for key, value in _flatten(settings)]

    def _origin(self, key: str) -> str:
        for name, values in reversed(self.layers):
            if _contains(values, key.split(".")):
                return str(name)
        return "built in"

    def _explain_error(self, error: ValidationError) -> InvalidSetting | UnknownSetting:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        origin = self._origin(key)
        if first["type"] == "extra_forbidden":
            known = [name for name, _ in _flatten(Settings())]
            return UnknownSetting(
                f"There is no setting {key} (from {origin}).{did_you_mean(key, known)}",
                remedy="`channelscribe config show` lists all.",
            )
        return InvalidSetting(f"Setting {key} (from {origin}) is wrong: {first['msg']}.", remedy="Correct it there.")


def _absolute(settings: Settings, folder: Path) -> Settings:
    """Paths as the person meant them who stands in `folder`: what runs stands elsewhere."""

    def path(value: Any) -> Any:
        return folder / value.expanduser() if isinstance(value, Path) else value

    def place(value: str | None) -> str | None:
        return str(folder / Path(value).expanduser()) if value and "://" not in value else value

    def known(value: str) -> str:
        """A name, unless there is such a folder."""
        there = folder / Path(value).expanduser()
        return str(there) if os.sep in value and there.is_dir() else value

    changed: dict[str, Any] = {"data_dir": path(settings.data_dir)}
    for section in ("prefect", "dask", "sources", "notify"):
        model = getattr(settings, section)
        paths = {name: path(getattr(model, name)) for name in type(model).model_fields}
        changed[section] = model.model_copy(update=paths)
    models = {
        name: model.model_copy(
            update={part: known(getattr(model, part) or "") or None for part in ("recognizer", "aligner", "diarizer")}
        )
        for name, model in settings.speech.models.items()
    }
    pipelines = {language: known(name) for language, name in settings.text.models.items()}
    changed["store"] = settings.store.model_copy(update={"url": place(settings.store.url)})
    changed["speech"] = settings.speech.model_copy(update={"models": models})
    changed["text"] = settings.text.model_copy(update={"models": pipelines})
    return settings.model_copy(update=changed)


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys to nested mappings: {"speech.model": "x"} -> {"speech": {"model": "x"}}."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *path, last = key.split(".")
        place: dict[str, Any] = {}
        place[last] = nest(value) if isinstance(value, Mapping) and not _is_free_form(key) else value
        for part in reversed(path):
            place = {part: place}
        nested = _merge(nested, place)
    return nested


def parse_assignment(text: str) -> tuple[str, Any]:
    """`speech.model=small` to ("speech.model", "small"); mappings and lists are written as YAML."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InvalidSetting(f"{text!r} is not KEY=VALUE.", remedy="For example --set speech.model=small.")
    return key.strip(), _parse(value.strip())


def _is_free_form(key: str) -> bool:
    return key.endswith("models")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        detail = str(error).splitlines()[0]
        raise InvalidSetting(f"{path} cannot be read: {detail}.", remedy="It must be YAML.") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise InvalidSetting(f"{path} must hold settings as `key: value`.", remedy="See config.yaml.")
    return loaded


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.upper().startswith(PREFIX) or name.upper() in NO_SETTINGS:
            continue
        path = name[len(PREFIX) :].lower().split("__")
        place: dict[str, Any] = {path[-1]: _parse(text)}
        for part in reversed(path[:-1]):
            place = {part: place}
        values = _merge(values, place)
    return values


def _parse(text: str) -> Any:
    # Scalars stay text: pydantic turns them into what the field wants ("007" may be a password).
    if text.strip() == "":
        return None
    if text.lstrip()[0] in "{[":
        try:
            return yaml.load(text, SafeLoader)
        except yaml.YAMLError:
            return text
    return text


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if value is None and isinstance(old, Mapping):
            continue  # a section in which everything is commented out
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _contains(values: Any, path: list[str]) -> bool:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def _flatten(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if hasattr(type(value), "model_fields"):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "**********"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return ("true" if value else "false") if isinstance(value, bool) else f"{value}"
