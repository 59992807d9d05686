"""`channelscribe takedown VIDEO [--yes]`"""

from __future__ import annotations

import argparse

from channelscribe.local_stack.places import places_of
from channelscribe.retention import Library
from channelscribe.retention.report import Report
from channelscribe.retention.takedown import find_one, take_down
from channelscribe.settings import Settings
from flows.output import print_json, say, table
from flows.session import database, joined, quiet_terminal, run_settings

WHY = {
    "taken_down": "taken down",
    "orphan": "no row points to it",
    "expired": "older than it may be",
    "unfinished": "never finished",
    "stale": "names what is gone",
}


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "takedown") as catalogue:
        library = Library.of(settings, catalogue)
        report = take_down(library, find_one(library, options.video), delete=options.yes)
    forgotten = forget(settings, report.video) if options.yes else 0
    if options.json:
        print_json({**report.to_dict(), **({"forgotten": forgotten} if options.yes else {})})
        return 0
    print_report(report.going)
    held = ", ".join(f"{count} {name}" for name, count in report.rows.items() if count)
    say(f"in the catalogue: {held or 'nothing'}")
    if not options.yes:
        say(f"Nothing was deleted. With --yes {report.video} goes for good.")
        return 0
    if forgotten:
        say(f"in Prefect: {forgotten} pages and runs")
    say(f"{report.video} is taken down. No sync brings it back.")
    if report.in_work:
        say("A run was working on it and has lost it. Run the same command once more when that run has ended.")
    return 0


def forget(settings: Settings, video: str) -> int:
    """What the Prefect server remembers of it; there is nothing to forget where none ever ran."""
    if settings.prefect.api_url is None and not list(places_of(settings.data_dir).prefect.glob("*.db")):
        return 0
    with joined(settings, ["prefect"], "takedown") as stack:
        stack.wait_ready()
        from tasks.prefect_history import forget_video

        quiet_terminal()
        site, _, video_id = video.partition(":")
        return forget_video(site, video_id)


def print_report(report: Report) -> None:
    """What goes, counted, with a few names."""
    if not report.tallies:
        say("Nothing to delete.")
        return
    rows = [
        [WHY[each.why], each.kind, str(each.count), f"{each.bytes / 1e6:.1f} MB" if each.bytes else ""]
        for each in report.tallies
    ]
    table(["why", "what", "how many", "size"], rows)
    for name in report.examples[:10]:
        say(f"  {name}")
    if report.count() > 10:
        say(f"  … and {report.count() - 10} more")
