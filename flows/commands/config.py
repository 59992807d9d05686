"""`channelscribe config show`"""

from __future__ import annotations

import argparse

from channelscribe.settings.registry import SettingsRegistry, parse_assignment
from flows.output import print_json, table


def run(options: argparse.Namespace) -> int:
    given = dict(parse_assignment(text) for text in options.assignments)
    explained = SettingsRegistry(run=given).explain()
    if options.json:
        print_json({item.key: {"value": item.value, "origin": item.origin} for item in explained})
    else:
        table(["setting", "value", "from"], [[item.key, item.value, item.origin] for item in explained])
    return 0
