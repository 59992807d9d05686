"""`channelscribe search QUERY`"""

from __future__ import annotations

import argparse

from flows.output import duration, print_json, say
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "search") as catalogue:
        hits = catalogue.search(
            options.query,
            channel=options.channel,
            speaker=options.speaker,
            entity=options.entity,
            since=options.since,
            limit=options.limit,
        )
    if options.json:
        fields = ("video", "title", "start", "end", "speaker", "text", "url")
        print_json({"hits": [{name: getattr(hit, name) for name in fields} for hit in hits]})
        return 0
    for hit in hits:
        say(f"{hit.title}  {duration(hit.start)}  {hit.speaker or ''}".rstrip())
        say(f"  {hit.text}")
        say(f"  {hit.url}")
    if not hits:
        say("No hit. `channelscribe status` shows what is in the library.")
    return 0
