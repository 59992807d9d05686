"""`channelscribe rollback VIDEO VERSION`"""

from __future__ import annotations

import argparse

from channelscribe.catalogue import transcripts
from flows.output import print_json, say
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "rollback") as catalogue:
        video, _, _ = catalogue.run(transcripts.transcript_of, options.video, options.version)
        moved = catalogue.run(transcripts.make_current, video.id, options.version)
    if options.json:
        print_json({"video": video.video_id, "version": options.version, "moved": moved})
    else:
        say(f"{video.title}: version {options.version} is {'current now' if moved else 'current already'}.")
    return 0
