"""The settings of a run, as they travel to its tasks: the sections that decide results, without any secret.

Addresses, secrets and the access to sites (cookies, proxy) do not travel: each worker has its own, from its own
environment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from channelscribe.errors import InvalidSetting
from channelscribe.settings.access import AccessOptions
from channelscribe.settings.options import Settings
from channelscribe.settings.registry import SettingsRegistry, nest

VARIABLE = "channelscribe_settings"
ORIGIN = f"the Prefect variable {VARIABLE}"
OWN = ("sources.folders",)
"""What a machine lets runs do is not for a run to say."""
TRAVELLING = ("lease_seconds", "sources", "filters", "audio", "speech", "text", "meaning", "retention")


def to_travel(settings: Settings) -> dict[str, Any]:
    """JSON-able settings of a run."""
    return {name: _plain(getattr(settings, name)) for name in TRAVELLING}


def travels(settings: Settings, key: str) -> bool:
    """Whether a dotted key may be set for one run: it decides results, and is no secret."""
    section, _, name = key.partition(".")
    if section not in TRAVELLING:
        return False
    model = getattr(settings, section)
    field = type(model).model_fields.get(name) if isinstance(model, BaseModel) else None
    if key in OWN or (isinstance(model, AccessOptions) and name in AccessOptions.model_fields):
        return False
    return field is None or not _is_secret(field)


def refuse_own(given: Mapping[str, Any], origin: str) -> None:
    """Raises InvalidSetting when one of these settings, dotted or nested, is each machine's own.

    What is no setting at all is for the registry to tell.
    """
    for key in _keys(nest(given)):
        if key.partition(".")[0] in Settings.model_fields and not travels(Settings(), key):
            raise InvalidSetting(
                f"Setting {key} cannot come from {origin}: it is each machine's own.",
                remedy=f"Set it on the machines, in .env or as CHANNELSCRIBE_{key.upper().replace('.', '__')}.",
            )


def of_variable(value: Any) -> dict[str, Any]:
    """The settings that the Prefect variable holds; none where there is no such variable (None).

    Raises InvalidSetting, for the whole, when something in it may not travel.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidSetting(
            f"{ORIGIN.capitalize()} holds no settings.", remedy='It must be a JSON object: {"speech.model": "small"}.'
        )
    refuse_own(value, ORIGIN)
    return value


def own_values(settings: Settings) -> dict[str, str]:
    """What workers read and no run brings along, by its dotted key, as text with its secrets: to compare, not to show.

    Without what only this machine's command or stack reads: folders, ports, sizes.
    """
    found = {}
    for section in ("database", "store", "prefect", *TRAVELLING):
        model = getattr(settings, section)
        for name in type(model).model_fields if isinstance(model, BaseModel) else ():
            key = f"{section}.{name}"
            if not travels(settings, key) and (section != "prefect" or name == "api_url") and name != "canary_url":
                found[key] = _revealed(getattr(model, name))
    return found


def _revealed(value: Any) -> str:
    if isinstance(value, tuple):
        return "\n".join(map(_revealed, value))
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def on_arrival(options: dict[str, Any]) -> Settings:
    """The worker's own settings with those of the run over them; its own are read once for each content of a run's."""
    return _arrived(json.dumps(options, sort_keys=True))


@lru_cache(maxsize=64)
def _arrived(options: str) -> Settings:
    return SettingsRegistry(run=json.loads(options)).resolve()


def _keys(nested: Mapping[str, Any]) -> Iterator[str]:
    """SECTION.NAME of everything that is set; deeper keys belong to their name."""
    for section, values in nested.items():
        if isinstance(values, Mapping):
            yield from (f"{section}.{name}" for name in values)
        else:
            yield section


def _plain(value: Any) -> Any:
    if not isinstance(value, BaseModel):
        return value
    dumped = value.model_dump(mode="json")
    # An empty one stays, too: it would take the place of the worker's own.
    stays = {name for name, field in type(value).model_fields.items() if _is_secret(field)}
    if isinstance(value, AccessOptions):
        stays |= {*AccessOptions.model_fields, *(key.partition(".")[2] for key in OWN)}
    return {name: item for name, item in dumped.items() if name not in stays}


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))
