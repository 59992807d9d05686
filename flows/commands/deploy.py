"""`channelscribe deploy`: brings a Prefect server to what is declared in git; a second time there is nothing to do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database
from channelscribe.settings import Settings
from flows.output import print_json, say, tell
from flows.session import joined, quiet_terminal, run_settings

if TYPE_CHECKING:
    from deployments.provision import Provisioned

DONE = {"create": "created", "update": "changed", "remove": "removed"}


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    channels = Path(options.channels).absolute() if options.channels else None
    with server(settings) as url:
        from deployments.provision import provision

        quiet_terminal()
        if settings.database.url and not options.dry_run:
            bring_up_to_date(Database(settings.database.url.get_secret_value()))
        found = provision(settings, channels_file=channels, rehearsal=options.dry_run)
    if options.json:
        print_json(as_json(url, options.dry_run, found))
    else:
        show(url, options.dry_run, found)
    return 0


@contextmanager
def server(settings: Settings) -> Iterator[str]:
    """The Prefect server of the settings, or the laptop's own, at the addresses where Prefect looks."""
    if settings.prefect.api_url is None:
        tell(f"No prefect.api_url is set: this goes to the server of the laptop stack in {settings.data_dir}.")
    with joined(settings, ["prefect"], "deploy") as stack:
        stack.wait_ready()
        yield str(stack.addresses.prefect_api_url)


def bring_up_to_date(catalogue: Database) -> None:
    """The tables that the workers of this version need."""
    try:
        schema.migrate(catalogue)
    finally:
        catalogue.close()


def as_json(url: str, rehearsal: bool, found: Provisioned) -> dict[str, object]:
    told = [{"block": name, "message": error.message} for name, error in found.unreachable.items()]
    changes = [asdict(change) for change in found.changes]
    return {"server": url, "dry_run": rehearsal, "changes": changes, "unreachable": told}


def show(url: str, rehearsal: bool, found: Provisioned) -> None:
    for change in found.changes:
        done = f"would be {DONE[change.action]}" if rehearsal else DONE[change.action]
        say(f"{done}: {change.kind} {change.name}" + (f" ({change.detail})" if change.detail else ""))
    if not found.changes:
        say(f"No change: {url} is as declared.")
    for name, error in found.unreachable.items():
        tell(f"The block {name} does not work from this machine: {error}")
