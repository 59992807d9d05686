"""`channelscribe config show`"""

from __future__ import annotations

import argparse
from typing import Any

from channelscribe.errors import ChannelscribeError
from channelscribe.local_stack.looking import running_addresses
from channelscribe.settings.registry import SettingsRegistry, parse_assignment
from flows.output import print_json, table, tell
from flows.session import asking_prefect


def run(options: argparse.Namespace) -> int:
    given = dict(parse_assignment(text) for text in options.assignments)
    explained = SettingsRegistry(dynamic=of_the_server(SettingsRegistry(run=given)), run=given).explain()
    if options.json:
        print_json({item.key: {"value": item.value, "origin": item.origin} for item in explained})
    else:
        table(["setting", "value", "from"], [[item.key, item.value, item.origin] for item in explained])
    return 0


def of_the_server(registry: SettingsRegistry) -> dict[str, Any]:
    """The Prefect variable, where a server is configured or runs. A server that does not answer is only told."""
    settings = registry.resolve()
    url = running_addresses(settings).prefect_api_url
    if url is None:
        return {}
    with asking_prefect(settings, url):
        import httpx

        from tasks.run_settings import ORIGIN, dynamic_settings

        try:
            return dynamic_settings()
        except (httpx.HTTPError, ChannelscribeError) as error:
            told = (
                error if isinstance(error, ChannelscribeError) else f"{url} does not answer ({type(error).__name__})."
            )
            tell(f"Without {ORIGIN}: {told}")
            return {}
