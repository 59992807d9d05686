"""`channelscribe site DIR`: the reading room as static pages, of a source or of all."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from flows.output import print_json, say, some_failed, tell
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    from channelscribe.web.app import room_of
    from channelscribe.web.site import build

    with database(settings, "site") as catalogue:
        room = room_of(settings, catalogue, "localhost")
        made = build(
            room, Path(options.folder), channel=options.channel, base=options.base_url, audio=not options.no_audio
        )
    for each in made.failed:
        tell(f"{each['video']}: {each['message']}")
    if options.json:
        print_json({"folder": options.folder, **asdict(made)})
    else:
        say(f"{made.videos} episodes in {options.folder}: {made.written} written, {made.removed} removed")
    return some_failed([None] * (made.videos - len(made.failed)), made.failed)
