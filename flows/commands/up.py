"""`channelscribe up`: the local stack, staying: UI, work pools served, schedules live, until Ctrl-C.

This process only waits, so it knows no engine: what it does once, in the beginning, is done by a process of its own
(`python -m flows.commands.up`). Workers start when a run needs them and end when none does.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from channelscribe.errors import ChannelscribeError
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.stack import end_process
from channelscribe.project import environment, python
from flows.output import print_json, say, tell
from flows.session import joined, quiet_terminal, run_settings

NAME = "up"


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    # A service manager stops with SIGTERM, a terminal that closes with SIGHUP: as good as Ctrl-C, which what runs in
    # the background of a shell would not hear.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)

    def told(name: str, seconds: float) -> None:
        tell(f"{name} ready after {seconds:.0f} s")

    with LocalStack(settings, ["database", "prefect"], command=NAME, told=told, lost=end_process) as stack:
        stack.wait_ready()
        url = str(stack.addresses.prefect_api_url).removesuffix("/api")
        if any(other.get("command") == NAME for other in stack.shared_with):
            report(options.json, url, stack.addresses.room_url, already=True)
            return 0
        alone = "database" in stack.want and not stack.shared_with
        argv = python("-m", "flows.commands.up", "alone" if alone else "shared", *options.assignments)
        # In a session of its own: Ctrl-C is for this process, which ends that one.
        made_ready = subprocess.run(
            argv, env=environment(), stdout=subprocess.DEVNULL, check=False, start_new_session=True
        )
        if made_ready.returncode:
            return made_ready.returncode
        stack.start("pools")
        stack.wait_ready()
        report(options.json, url, stack.addresses.room_url, already=False)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        tell("stopping")
    return 0


def make_ready(alone: bool, assignments: list[str]) -> None:
    """Bring the database to this release and the Prefect server to what is declared."""
    settings, _ = run_settings(argparse.Namespace(assignments=assignments))
    with joined(settings, ("database", "prefect"), f"{NAME}, making ready") as stack:
        from channelscribe.catalogue import leases, schema
        from channelscribe.catalogue.connection import Database
        from deployments.provision import provision

        quiet_terminal()
        catalogue = Database(stack.addresses.database_url or "")
        schema.migrate(catalogue)
        if alone:
            # Nobody else runs on this database: what is still leased belonged to a process that was killed.
            catalogue.run(leases.release_all)
        catalogue.close()
        tell(f"deployments: {len(provision(settings).changes)} changes")


def report(as_json: bool, url: str, room: str | None, *, already: bool) -> None:
    if as_json:
        print_json({"ui": url, "api": f"{url}/api", "room": room, "already_up": already})
    else:
        say(f"{'Already up' if already else 'Up'}: {url}")
        if room:
            say(f"The reading room: {room}")
        if not already:
            say("Start runs there, or with `prefect deployment run`; Ctrl-C stops everything.")
    sys.stdout.flush()  # it stays: whoever reads this from a pipe would wait until it ends


if __name__ == "__main__":
    try:
        make_ready(sys.argv[1] == "alone", sys.argv[2:])
    except ChannelscribeError as error:
        tell(f"channelscribe: {error}")
        sys.exit(1)
