"""Commands that keep the library small, whole and allowed: sweep, takedown, backup, restore."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from channelscribe.catalogue import stats
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack, running_addresses
from channelscribe.local_stack.places import places_of
from channelscribe.retention import Library, Report, Tally
from channelscribe.retention import backup as copies
from channelscribe.retention import sweep as sweeping
from channelscribe.retention.takedown import find_one, named, take_down
from channelscribe.settings import Settings
from flows.output import EXIT_DONE, EXIT_SOME_FAILED, print_json, say, table, tell
from flows.session import asking_prefect, call, database, engine, joined, quiet_terminal, run_settings


def sweep(options: argparse.Namespace) -> int:
    settings, given = run_settings(options)
    if options.repair:
        report = swept_and_repaired(settings, given, delete=options.delete)
    else:
        with database(settings, "sweep", writes=options.delete) as catalogue:
            lost_runs = close_lost_runs(settings, catalogue, delete=options.delete)
            done = sweeping.sweep(Library.of(settings, catalogue), settings.retention, delete=options.delete)
            report = {"lost_runs": lost_runs, **done.to_dict()}
    if options.json:
        print_json(report)
    else:
        print_sweep(report)
    return EXIT_SOME_FAILED if report.get("repaired", {}).get("left") else EXIT_DONE


def swept_and_repaired(settings: Settings, given: dict[str, Any], *, delete: bool) -> dict[str, Any]:
    """As the flow does it: audio may have to be fetched and prepared again."""
    with engine(settings, "sweep"):
        from flows.forms import SweepRequest
        from flows.sweep import sweep as flow
        from tasks.site_guard import provide_budgets

        provide_budgets(settings.sources)
        report: dict[str, Any] = call(flow, SweepRequest(dry_run=not delete, repair=True, settings=given))
        return report


def print_sweep(report: dict[str, Any]) -> None:
    deleted = report["deleted"]
    for each in report["lost_runs"] or []:
        say(f"{'Closed' if deleted else 'Would close'} a run whose process is gone: {each}")
    if report["lost_leases"]:
        say(f"{report['lost_leases']} videos whose run was lost {'were' if deleted else 'would be'} given back")
    going = Report(deleted, [Tally(**each) for each in report["tallies"]], report["examples"])
    print_report(going)
    if going.count() and not deleted:
        say("Nothing was deleted. Add --delete to delete it.")
    if report["unknown"]:
        say(f"{report['unknown']} files are of videos that this library does not know; they stay.")
    if lost := ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in report["missing"].items()):
        say(f"Of published videos the store has lost {lost}.")
    if "repaired" not in report:
        say("Add --repair to make them again." if lost else "Nothing of published videos is missing.")
        return
    made = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in report["repaired"]["made"].items())
    say(f"Made again: {made or 'nothing'}.")
    for video, why in report["repaired"]["left"].items():
        say(f"  {video}: {why}")


def close_lost_runs(settings: Settings, catalogue: Database, *, delete: bool) -> list[str] | None:
    """Those of the Prefect server of the settings, or of the laptop stack where it runs; None where none answers."""
    api_url = running_addresses(settings).prefect_api_url
    if api_url is None:
        return None
    with asking_prefect(settings, api_url):
        import httpx

        from tasks.zombie_runs import close_lost

        quiet_terminal()
        try:
            return close_lost({each.owner for each in catalogue.run(stats.progress)}, datetime.now(UTC), delete=delete)
        except httpx.HTTPError as error:
            tell(f"The Prefect server at {api_url} does not answer ({type(error).__name__}): no lost run is closed.")
            return None


WHY = {
    "taken_down": "taken down",
    "orphan": "no row points to it",
    "expired": "older than it may be",
    "unfinished": "never finished",
    "stale": "names what is gone",
}


def takedown(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "takedown", writes=options.yes) as catalogue:
        library = Library.of(settings, catalogue)
        row = find_one(library, options.video)
        words = named(row.site, row.video_id, row.url, row.title)
        report = take_down(library, row, delete=options.yes)
    forgotten = 0
    if options.yes:
        forgotten, left = forget(settings, row.site, row.video_id, words)
        report.left.extend(left)
    if options.json:
        print_json({**report.to_dict(), **({"forgotten": forgotten} if options.yes else {})})
        return 0
    print_report(report.going)
    for each in report.left:
        say(f"May be left: {each}.")
    held = ", ".join(f"{count} {name}" for name, count in report.rows.items() if count)
    say(f"in the catalogue: {held or 'nothing'}")
    if not options.yes:
        say(f"Nothing was deleted. Add --yes to delete {report.video} for good.")
        return 0
    if forgotten:
        say(f"in Prefect: {forgotten} pages and runs")
    say(f"{report.video} is taken down. No sync brings it back.")
    if report.in_work:
        say("A run was working on it and has lost it. Run the same command once more when that run has ended.")
    return 0


def forget(settings: Settings, site: str, video_id: str, words: re.Pattern[str]) -> tuple[int, list[str]]:
    """What the Prefect server remembers of it; there is nothing to forget where nothing ever ran."""
    if settings.prefect.api_url is None and not places_of(settings.data_dir).postgres.exists():
        return 0, []
    with joined(settings, ["prefect"], "takedown") as stack:
        stack.wait_ready()
        from tasks.prefect_history import forget_video

        quiet_terminal()
        done = forget_video(site, video_id, words)
        return done.count, done.left


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


def backup(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "backup") as catalogue:
        report = copies.back_up(Library.of(settings, catalogue), Path(options.folder), prune=options.prune)
    if options.json:
        print_json(report.to_dict())
        return 0
    rows = ", ".join(f"{count} {name}" for name, count in report.rows.items() if count)
    say(f"rows: {rows or 'none'}")
    say(f"files: {report.objects} copied ({report.bytes / 1e6:.1f} MB), {report.known} there already")
    if report.pruned:
        say(f"{report.pruned} deleted from the copy")
    return 0


def restore(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with LocalStack(settings, ["database"], command="restore") as stack:
        stack.wait_ready()
        catalogue = Database(stack.addresses.database_url or "")  # not migrated: it gets the backup's schema first
        try:
            report = copies.restore(Library.of(settings, catalogue), Path(options.folder))
        finally:
            catalogue.close()
    if options.json:
        print_json(report.to_dict())
        return 0
    rows = ", ".join(f"{count} {name}" for name, count in report.rows.items() if count)
    say(f"rows: {rows or 'none'}")
    say(f"files: {report.objects} brought back ({report.bytes / 1e6:.1f} MB), {report.known} there already")
    return 0
