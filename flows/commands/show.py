"""`channelscribe show VIDEO`"""

from __future__ import annotations

import argparse
import sys

from channelscribe.errors import UnknownVideo
from channelscribe.formats import VideoMeta, render
from flows.output import print_json
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "show") as catalogue:
        videos = catalogue.find_videos(options.video)
        if not videos:
            raise UnknownVideo(
                f"There is no video {options.video!r} in the library.",
                remedy="`channelscribe search` and `channelscribe status` show what there is.",
            )
        row, version, transcript = catalogue.transcript_of(videos[0].id, options.version)
    meta = VideoMeta(title=row.title, url=row.url, id=row.video_id)
    text = render(transcript, options.format, meta)
    if options.json:
        print_json({"video": row.video_id, "version": version.version, "format": options.format, "text": text})
    else:
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    return 0
