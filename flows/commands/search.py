"""`channelscribe search QUERY`"""

from __future__ import annotations

import argparse

from channelscribe.catalogue import search
from channelscribe.catalogue.search_query import Question
from flows.output import duration, print_json, say, tell
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "search") as catalogue:
        hits = catalogue.run(
            search.search,
            Question(
                options.query,
                channel=options.channel,
                speaker=options.speaker,
                entity=options.entity,
                since=options.since,
                until=options.until,
                language=options.language,
            ),
            limit=options.limit,
            after=options.after,
        )
    more = hits[-1].place if len(hits) == options.limit else None
    if options.json:
        fields = ("video", "title", "start", "end", "speaker", "text", "url")
        print_json({"hits": [{name: getattr(hit, name) for name in fields} for hit in hits], "next": more})
        return 0
    for hit in hits:
        say(f"{hit.title}  {duration(hit.start)}  {hit.speaker or ''}".rstrip())
        say(f"  {hit.highlighted}")
        say(f"  {hit.url}")
    if more:
        tell(f"There may be more: the same again with --after {more}")
    if not hits:
        say("No hit. `channelscribe status` shows what is in the library.")
    return 0
