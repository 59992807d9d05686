"""`channelscribe sweep [--delete]`"""

from __future__ import annotations

import argparse

from channelscribe.keeping import Library
from channelscribe.keeping.sweep import sweep
from flows.commands.takedown import print_report
from flows.output import print_json, say
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "sweep") as catalogue:
        report = sweep(Library.of(settings, catalogue), settings.retention, delete=options.delete)
    if options.json:
        print_json(report.to_dict())
        return 0
    if report.lost_leases:
        say(f"{report.lost_leases} videos whose run was lost {'were' if options.delete else 'would be'} given back")
    print_report(report.going)
    if report.going.count() and not options.delete:
        say("Nothing was deleted. With --delete it is.")
    return 0
