"""Big channels: what a sync costs that finds nothing new, beyond reading the listing; and memory at 100,000 videos.

    make bench NAME=listing

The source is the stand-in site of the tests, a yt-dlp plugin that answers over HTTP page by page. A reads its listing
of 10,000 videos and nothing else, B is the flow `sync-channel` on the same channel, all of it known; both in turn in
one process, ROUNDS times, medians are shown. Memory is the peak of a process of its own that reads a listing and
records it in PostgreSQL, once with 10,000 videos and once with 100,000.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.report import print_report
from channelscribe.catalogue import listings

PLUGIN = Path(__file__).parent.parent / "tests" / "standin" / "plugin"
VIDEOS, MANY = 10_000, 100_000
PAGE = 100
ROUNDS = 3


def measure() -> None:
    from channelscribe.settings import SourceOptions
    from channelscribe.sources.listing import list_source
    from flows.session import engine, run_settings
    from tests.standin.site import Generated, StandinSite, Video

    made = partial(Video, availability="subscriber_only")
    with StandinSite() as site:
        site.page_size = PAGE
        for name, size in (("big", VIDEOS), ("huge", MANY)):
            site.channel(name).tabs["videos"] = Generated(size, lambda n: made(f"v{n:06}", title=f"Video {n}"))
        big, huge = site.channels["big"].url, site.channels["huge"].url
        options = SourceOptions(allow_private_addresses=True)
        settings, _ = run_settings(argparse.Namespace(assignments=[]))
        with engine(settings, "benchmark") as (stack, _):
            from flows.forms import SyncRequest
            from flows.sync_channel import sync_channel

            request = SyncRequest(source=big, full=True, settings={"sources.allow_private_addresses": True})
            first = timed(lambda: check(sync_channel(request).new, VIDEOS))
            listings, syncs = [], []
            for _ in range(ROUNDS):
                listings.append(timed(lambda: check(len(list_source(big, options).videos), VIDEOS)))
                syncs.append(timed(lambda: check(sync_channel(request).new, 0)))
            database = stack.addresses.database_url or ""
            few, many = peak_megabytes(big, database), peak_megabytes(huge, database)
    extra = [sync - listing for sync, listing in zip(syncs, listings, strict=True)]
    report(first, listings, syncs, extra, few, many)


def report(
    first: float, listings: list[float], syncs: list[float], extra: list[float], few: float, many: float
) -> None:
    rows = [
        ["listing of 10,000, nothing else", f"{statistics.median(listings):.1f} s"],
        ["sync that finds 10,000 new (none due)", f"{first:.1f} s"],
        ["sync that finds nothing new", f"{statistics.median(syncs):.1f} s"],
        ["  beyond the listing", f"{statistics.median(extra):.2f} s"],
        ["peak memory, 10,000 listed and recorded", f"{few:.0f} MB"],
        ["peak memory, 100,000", f"{many:.0f} MB"],
    ]
    figures = {
        "listing.extra_seconds": statistics.median(extra),
        "listing.sync_over_listing": statistics.median(syncs) / statistics.median(listings),
        "listing.peak_megabytes": few,
        "memory.100000_over_10000": many / few,
    }
    goal = {"listing.extra_seconds": "<= 3", "memory.100000_over_10000": "<= 1.2"}
    print_report("listing", ["what", "median"], rows, figures, goal)


def timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def check(found: int, expected: int) -> None:
    if found != expected:
        raise SystemExit(f"found {found} videos, not {expected}: this run measured something else")


def peak_megabytes(source: str, database: str) -> float:
    """Of a process that reads the listing and records it."""
    command = [sys.executable, "-m", "benchmarks.listing", "--record", source, database]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def record(source: str, database: str) -> None:
    from channelscribe.catalogue.connection import Database
    from channelscribe.settings import SourceOptions
    from channelscribe.sources.listing import list_source

    catalogue = Database(database)
    catalogue.run(listings.record_listing, list_source(source, SourceOptions(allow_private_addresses=True)))
    catalogue.close()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    sys.path.append(str(PLUGIN))
    if sys.argv[1:2] == ["--record"]:
        record(*sys.argv[2:])
        return
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        os.environ["CHANNELSCRIBE_DATA_DIR"] = folder
        measure()


if __name__ == "__main__":
    main()
