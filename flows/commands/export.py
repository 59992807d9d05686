"""`channelscribe export CHANNEL`"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from channelscribe.errors import UsageError
from channelscribe.export.corpus import Exported, export_channel
from channelscribe.files import atomic_write
from flows.output import print_json, tell
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    if not options.out and (options.json or options.format != "jsonl"):
        raise UsageError(
            f"--{'json' if options.json else 'format parquet'} needs a file.", remedy="Name it with --out."
        )
    settings, _ = run_settings(options)
    filters = {"language": options.language, "since": options.since, "until": options.until}
    with database(settings, "export") as catalogue:
        if options.out:
            with atomic_write(Path(options.out)) as file:
                made = export_channel(catalogue, options.channel, options.format, file, **filters)
        else:
            made = export_channel(catalogue, options.channel, options.format, sys.stdout.buffer, **filters)
    report(options, made)
    return 0


def report(options: argparse.Namespace, made: Exported) -> None:
    if options.json:
        print_json({"file": options.out, "format": options.format, "videos": made.videos, "segments": made.segments})
    else:
        tell(f"{made.segments} segments of {made.videos} videos{f' in {options.out}' if options.out else ''}")
