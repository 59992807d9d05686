"""`channelscribe show VIDEO…`"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from channelscribe.catalogue import listings, transcripts
from channelscribe.catalogue.connection import Database
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.export import VideoMeta, render
from channelscribe.files import atomic_write
from channelscribe.sources.identifiers import safe_id
from flows.output import print_json, say, tell
from flows.session import database, run_settings

SOME_FAILED = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """One transcript in its formats."""

    site: str
    video: str
    version: int
    texts: dict[str, str]


def run(options: argparse.Namespace) -> int:
    if not options.out and len(options.video) * len(options.format) > 1:
        raise UsageError("Several videos or formats need a folder.", remedy="Name it with --out DIR.")
    settings, _ = run_settings(options)
    with database(settings, "show") as catalogue:
        if options.out:
            return write_files(catalogue, options)
        one = transcript(catalogue, options.video[0], options)
    ((name, text),) = one.texts.items()
    if options.json:
        print_json({"video": one.video, "version": one.version, "format": name, "text": text})
    else:
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    return 0


def transcript(catalogue: Database, video: str, options: argparse.Namespace) -> Shown:
    row, version, found = catalogue.run(transcripts.transcript_of, video, options.version)
    published = row.published.isoformat() if row.published else None
    meta = VideoMeta(row.title, row.url, row.video_id, catalogue.run(listings.channel_of, row.id), published)
    texts = {name: render(found, name, meta) for name in options.format}
    return Shown(row.site, row.video_id, version.version, texts)


def write_files(catalogue: Database, options: argparse.Namespace) -> int:
    """SITE-ID.FORMAT for each video and format. A video that is not there never stops the others."""
    folder = Path(options.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}.", remedy="Choose another folder.") from error
    files, missing = [], []
    for video in options.video:
        try:
            one = transcript(catalogue, video, options)
        except UnknownVideo as error:
            if len(options.video) == 1:
                raise
            tell(f"channelscribe: {error}")
            missing.append(video)
            continue
        for name, text in one.texts.items():
            path = folder / f"{safe_id(one.site)}-{safe_id(one.video)}.{name}"
            with atomic_write(path) as file:
                file.write(text.encode())
            files.append({"video": one.video, "version": one.version, "format": name, "file": str(path)})
    if options.json:
        print_json({"files": files, "missing": missing})
    for each in files if not options.json else ():
        say(str(each["file"]))
    return SOME_FAILED if missing else 0
