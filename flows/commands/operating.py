"""Commands of who runs it: deploy, metrics, config."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from channelscribe.errors import ChannelscribeError, StackError, UsageError
from channelscribe.local_stack import running_addresses
from channelscribe.settings import Settings
from channelscribe.settings.registry import SettingsRegistry
from flows.output import print_json, say, table, tell
from flows.session import asking_prefect, assigned, database, joined, quiet_terminal, read_settings, run_settings

if TYPE_CHECKING:
    from channelscribe.catalogue.prometheus import LibraryCollector
    from deployments.plan import Change
    from deployments.provision import Provisioned


DONE = {"create": "created", "update": "changed", "remove": "removed"}


def deploy(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    channels = Path(options.channels).absolute() if options.channels else None
    with server(settings) as url:
        from deployments.provision import provision
        from deployments.watches import declared_watches

        declared_watches(settings)  # what is wrong in it is told before anything is changed

        quiet_terminal()
        if settings.database.url and not options.dry_run:
            bring_up_to_date(settings.database.url.get_secret_value())
        found = provision(settings, channels_file=channels, rehearsal=options.dry_run)
        found.changes.extend(watches(settings, rehearsal=options.dry_run))
    if options.json:
        print_json(deployed(url, options.dry_run, found))
    else:
        show(url, options.dry_run, found)
    return 0


@contextmanager
def server(settings: Settings) -> Iterator[str]:
    """The Prefect server of the settings, or the laptop's own, at the addresses where Prefect looks."""
    if settings.prefect.api_url is None:
        server = f"the server of the laptop stack in {settings.data_dir}"
        tell(f"Neither prefect.api_url nor Prefect itself is set to a server: this goes to {server}.")
    with joined(settings, ["prefect"], "deploy") as stack:
        stack.wait_ready()
        yield str(stack.addresses.prefect_api_url)


def watches(settings: Settings, *, rehearsal: bool) -> list[Change]:
    """Those of git, into the catalogue of the settings. Where only a block names it they are not for this machine."""
    from deployments.watches import declared_watches, deploy_watches

    wanted = declared_watches(settings)
    if settings.database.block and not settings.database.url:
        if wanted:
            tell("Watches are left out: this machine has no database.url.")
        return []
    if settings.database.url is None and rehearsal and not wanted:
        return []  # to look for what was taken out is not worth a database
    with database(settings, "deploy", writes=not rehearsal) as catalogue:
        return deploy_watches(catalogue, wanted, rehearsal=rehearsal)


def bring_up_to_date(url: str) -> None:
    """The tables that the workers of this version need."""
    from channelscribe.catalogue import schema
    from channelscribe.catalogue.connection import Database

    catalogue = Database(url)
    try:
        schema.migrate(catalogue)
    finally:
        catalogue.close()


def deployed(url: str, rehearsal: bool, found: Provisioned) -> dict[str, object]:
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


def metrics(options: argparse.Namespace) -> int:
    """The figures once, on stdout; with --listen until it is stopped, over HTTP."""
    from channelscribe.catalogue import stats
    from channelscribe.catalogue.prometheus import LibraryCollector, exposition

    settings, _ = run_settings(options)
    with database(settings, "metrics") as catalogue:
        figures = partial(catalogue.read, stats.figures)
        if options.listen is None:
            sys.stdout.write(exposition(figures).decode())
            return 0
        host, port = address(options.listen)
        serve(LibraryCollector(figures), host, port)
    return 0


def address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"{text!r} is no address.", remedy="Give HOST:PORT, such as 127.0.0.1:9108.")
    return host.strip("[]"), int(port)


def serve(collector: LibraryCollector, host: str, port: int) -> None:
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise StackError(f"{host}:{port} cannot be listened on: {error}.", remedy="Choose another port.") from error
    tell(f"metrics on http://{host}:{server.server_port}/metrics")
    try:
        while True:
            time.sleep(3600)
    finally:
        server.shutdown()


def config(options: argparse.Namespace) -> int:
    given = assigned(options)
    explained = SettingsRegistry(dynamic=of_the_server(read_settings(given)), run=given).explain()
    if options.json:
        print_json({item.key: {"value": item.value, "origin": item.origin} for item in explained})
    else:
        table(["setting", "value", "from"], [[item.key, item.value, item.origin] for item in explained])
    return 0


def of_the_server(settings: Settings) -> dict[str, Any]:
    """The Prefect variable, where a server is configured or runs. A server that does not answer is only told."""
    url = running_addresses(settings).prefect_api_url
    if url is None:
        return {}
    with asking_prefect(settings, url):
        import httpx

        from channelscribe.settings.travel import ORIGIN
        from tasks.resources import dynamic_settings

        try:
            return dynamic_settings()
        except (httpx.HTTPError, ChannelscribeError) as error:
            told = (
                error if isinstance(error, ChannelscribeError) else f"{url} does not answer ({type(error).__name__})."
            )
            tell(f"Without {ORIGIN}: {told}")
            return {}
