"""`channelscribe sweep [--delete]`"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from channelscribe.catalogue import leases
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack.looking import running_addresses
from channelscribe.retention import Library
from channelscribe.retention.sweep import sweep
from channelscribe.settings import Settings
from flows.commands.takedown import print_report
from flows.output import print_json, say, tell
from flows.session import asking_prefect, database, quiet_terminal, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "sweep") as catalogue:
        lost_runs = close_lost_runs(settings, catalogue, delete=options.delete)
        report = sweep(Library.of(settings, catalogue), settings.retention, delete=options.delete)
    if options.json:
        print_json({"lost_runs": lost_runs, **report.to_dict()})
        return 0
    for each in lost_runs or []:
        say(f"{'Closed' if options.delete else 'Would close'} a run whose process is gone: {each}")
    if report.lost_leases:
        say(f"{report.lost_leases} videos whose run was lost {'were' if options.delete else 'would be'} given back")
    print_report(report.going)
    if report.going.count() and not options.delete:
        say("Nothing was deleted. With --delete it is.")
    return 0


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
            return close_lost({each.owner for each in catalogue.run(leases.progress)}, datetime.now(UTC), delete=delete)
        except httpx.HTTPError as error:
            tell(f"The Prefect server at {api_url} does not answer ({type(error).__name__}): no lost run is closed.")
            return None
