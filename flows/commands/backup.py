"""`channelscribe backup DIR [--prune]`"""

from __future__ import annotations

import argparse
from pathlib import Path

from channelscribe.retention import Library
from channelscribe.retention.backup import back_up
from flows.output import print_json, say
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "backup") as catalogue:
        report = back_up(Library.of(settings, catalogue), Path(options.folder), prune=options.prune)
    if options.json:
        print_json(report.to_dict())
        return 0
    rows = ", ".join(f"{count} {name}" for name, count in report.rows.items() if count)
    say(f"rows: {rows or 'none'}")
    say(f"files: {report.objects} copied ({report.bytes / 1e6:.1f} MB), {report.known} there already")
    if report.pruned:
        say(f"{report.pruned} deleted from the copy")
    return 0
