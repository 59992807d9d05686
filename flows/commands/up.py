"""`channelscribe up`: the laptop stack, staying: UI, work pools served, schedules live, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from contextlib import suppress

from channelscribe.local_stack import LocalStack
from channelscribe.settings import Settings
from flows.output import print_json, say, tell
from flows.session import engine, quiet_terminal, run_settings

NAME = "up"


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    # A service manager stops with SIGTERM, a terminal that closes with SIGHUP: as good as Ctrl-C, which what runs in
    # the background of a shell would not hear.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with engine(settings, NAME, lambda name, seconds: tell(f"{name} ready after {seconds:.0f} s")) as (stack, _):
        url = str(stack.addresses.prefect_api_url).removesuffix("/api")
        if any(other.get("command") == NAME for other in stack.shared_with):
            report(options.json, url, already=True)
            return 0
        changes = provisioned(settings)
        tell(f"deployments: {changes} changes")
        with LocalStack(settings, ["pools"], command=NAME) as pools:
            pools.wait_ready()
            report(options.json, url, already=False)
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
            tell("stopping")
    return 0


def provisioned(settings: Settings) -> int:
    """Bring the server to what is declared; returns how many changes that took."""
    from deployments.provision import provision

    found = provision(settings)
    quiet_terminal()
    return len(found.changes)


def report(as_json: bool, url: str, *, already: bool) -> None:
    if as_json:
        print_json({"ui": url, "api": f"{url}/api", "already_up": already})
    else:
        say(f"{'Already up' if already else 'Up'}: {url}")
        if not already:
            say("Start runs there, or with `prefect deployment run`; Ctrl-C stops everything.")
    sys.stdout.flush()  # it stays: whoever reads this from a pipe would wait until it ends
