"""Big channels: what a sync costs that finds nothing new, beyond reading the listing; and memory at 100,000 videos.

    make bench NAME=listing

The source is the stand-in site of the tests, a yt-dlp plugin that answers over HTTP page by page. A reads its listing
of 10,000 videos and nothing else, B is the flow `sync-channel` on the same channel, all of it known; both in turn in
one process, ROUNDS times, medians are shown. Memory is the peak of a process of its own that reads a listing and
records it in PostgreSQL, once with 10,000 videos and once with 100,000.

Also a feed of 5,000 episodes, by our reader and by feedparser alone, each in processes of its own that take turns:
seconds of processor time for the parsing, and how much more memory a process has at its peak than one that only imports
the library. `--feed` measures nothing else, and needs no services.
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
EPISODES = 5_000


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
    figures |= report_feed(measure_feed())
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


def measure_feed() -> dict[str, float]:
    """Ours over feedparser's, for a well-formed feed and for one that is not quite; and the seconds and megabytes."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        kinds = {"whole": Path(folder) / "whole.xml", "mended": Path(folder) / "mended.xml"}
        kinds["whole"].write_bytes(big_feed(""))
        kinds["mended"].write_bytes(big_feed("&eacute; & "))
        for _ in range(ROUNDS):
            for kind, file in kinds.items():
                for reader in ("ours", "feedparser"):
                    command = [sys.executable, "-m", "benchmarks.listing", "--parse", reader, str(file)]
                    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                    for name, value in zip(("seconds", "megabytes"), map(float, told), strict=True):
                        found.setdefault(f"{reader}.{kind}.{name}", []).append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def big_feed(extra: str) -> bytes:
    """As hosts write them: about 2 kB an episode."""
    words = "What was said about lighthouses, tides and the trains at night. " * 20
    items = "".join(
        f"<item><title>Episode {n}</title><guid isPermaLink='false'>e{n}</guid><link>https://example.org/{n}</link>"
        f"<pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate><itunes:duration>1:02:03</itunes:duration>"
        f"<enclosure url='https://cdn.example.org/{n}.mp3' length='{n + 1}' type='audio/mpeg'/>"
        f"<description>{extra}{words}</description></item>\n"
        for n in range(EPISODES)
    )
    space = 'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    return f'<rss version="2.0" {space}><channel><title>Big</title>{items}</channel></rss>'.encode()


def parse(reader: str, file: str) -> None:
    """Prints seconds of processor time, and megabytes beyond what the imports took."""
    content = Path(file).read_bytes()
    if reader == "ours":
        from channelscribe.sources.feeds import read_feed

        def work() -> int:
            read = read_feed(content, "https://example.org/feed")
            return sum(bool(each.files) for each in getattr(read, "episodes", ()))
    else:
        import feedparser  # type: ignore[import-untyped]

        def work() -> int:
            return sum(bool(each.get("enclosures")) for each in feedparser.parse(content).entries)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    check(work(), EPISODES)
    seconds = time.process_time() - started
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def report_feed(found: dict[str, float]) -> dict[str, float]:
    """Prints the table of the feed; returns its figures."""
    rows = [
        [f"feed of 5,000, {kind}: {reader}", f"{found[f'{reader}.{kind}.seconds']:.2f} s",
         f"{found[f'{reader}.{kind}.megabytes']:.0f} MB"]
        for kind in ("whole", "mended") for reader in ("ours", "feedparser")
    ]  # fmt: skip
    for row in rows:
        print("  ".join(row))
    return {
        f"feed.{kind}_{name}_over_feedparser": found[f"ours.{kind}.{name}"] / found[f"feedparser.{kind}.{name}"]
        for kind in ("whole", "mended")
        for name in ("seconds", "megabytes")
    }


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
    if sys.argv[1:2] == ["--parse"]:
        parse(*sys.argv[2:])
        return
    if sys.argv[1:2] == ["--feed"]:
        print_report("listing", ["what"], [], report_feed(measure_feed()), {})
        return
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        os.environ["CHANNELSCRIBE_DATA_DIR"] = folder
        measure()


if __name__ == "__main__":
    main()
