"""`channelscribe restore DIR`"""

from __future__ import annotations

import argparse
from pathlib import Path

from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from channelscribe.retention import Library
from channelscribe.retention.backup import restore
from flows.output import print_json, say
from flows.session import run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with LocalStack(settings, ["database"], command="restore") as stack:
        stack.wait_ready()
        catalogue = Database(stack.addresses.database_url or "")  # not migrated: it gets the backup's schema first
        try:
            report = restore(Library.of(settings, catalogue), Path(options.folder))
        finally:
            catalogue.close()
    if options.json:
        print_json(report.to_dict())
        return 0
    rows = ", ".join(f"{count} {name}" for name, count in report.rows.items() if count)
    say(f"rows: {rows or 'none'}")
    say(f"files: {report.objects} brought back ({report.bytes / 1e6:.1f} MB), {report.known} there already")
    return 0
