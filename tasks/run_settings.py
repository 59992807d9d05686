"""The settings of a run, read when it starts: the Prefect variable `channelscribe_settings` over this machine's own.

Changed in the Prefect UI, it holds for the next run, without a deploy. It holds dotted or nested keys, such as
{"speech.model": "small"}, and only what decides results: addresses, secrets and the access to sites are each
machine's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect.client.orchestration import get_client

from channelscribe.errors import InvalidSetting
from channelscribe.settings import Settings
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import refuse_own

VARIABLE = "channelscribe_settings"
ORIGIN = f"the Prefect variable {VARIABLE}"


def run_settings(given: Mapping[str, Any]) -> Settings:
    """All layers up to the parameters of a run. Raises UnknownSetting or InvalidSetting, naming key and origin."""
    dynamic = dynamic_settings()
    settings = SettingsRegistry(dynamic=dynamic, run=given).resolve()
    refuse_own(given, "the parameters of a run")
    return settings


def dynamic_settings() -> dict[str, Any]:
    """What the variable holds now, refused as a whole when something in it may not travel; empty without one."""
    with get_client(sync_client=True) as client:
        found = client.read_variable_by_name(VARIABLE)
    value = None if found is None else found.value
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidSetting(
            f"{ORIGIN.capitalize()} holds no settings.", remedy='It must be a JSON object: {"speech.model": "small"}.'
        )
    refuse_own(value, ORIGIN)
    return value
