"""`channelscribe entities`"""

from __future__ import annotations

import argparse

from channelscribe.catalogue import entities
from flows.output import print_json, table
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "entities") as catalogue:
        found = catalogue.run(entities.entity_counts, channel=options.channel, label=options.label)
    rows = [{"name": e.text, "label": e.label, "count": e.mentions, "videos": e.videos} for e in found]
    if options.json:
        print_json({"entities": rows})
    else:
        table(["name", "label", "count", "videos"], [[str(value) for value in row.values()] for row in rows])
    return 0
