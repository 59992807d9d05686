"""What nothing to do costs: CPU seconds over all processes of a sync that finds nothing new, beside yt-dlp's own flat
listing of the same feed; and of the commands that only read.

    make bench NAME=noop

Both in turn, ROUNDS times, each in processes of its own on one data folder; medians are shown. Nothing is due because
every episode is older than the filter wants.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.report import print_report
from benchmarks.spent import Spent, measure
from channelscribe.sample.server import SampleServer

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
OURS = [sys.executable, "-m", "flows.cli"]
READING = {"status": ["status"], "search": ["search", "harbour"], "show": ["show", "no-such-video"]}
NOTHING = ["--since", "2100-01-01", "--set", "sources.allow_private_addresses=true", "--json"]


def environment(data: Path) -> dict[str, str]:
    """A user's: bytecode is kept, no settings of a developer's."""
    dropped = ("CHANNELSCRIBE_", "PREFECT_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "CHANNELSCRIBE_DATA_DIR": str(data), "XDG_CONFIG_HOME": str(data / "nowhere")}


def main() -> None:
    spent: dict[str, list[Spent]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder, SampleServer() as server:
        env = environment(Path(folder) / "data")
        sides = {
            "sync": [*OURS, "sync", server.feed_url, *NOTHING],
            "yt-dlp": [sys.executable, "-m", "yt_dlp", "--ignore-config", "--flat-playlist", "-J", server.feed_url],
            **{name: [*OURS, *arguments] for name, arguments in READING.items()},
        }
        first = measure(sides["sync"], env)  # makes the database
        if first.code:
            raise SystemExit(f"the first sync failed: {first.out[-1000:]}")
        for _ in range(ROUNDS):
            for name, argv in sides.items():
                spent[name].append(measure(argv, env))
    rows, seconds = [], {}
    for name, each in spent.items():
        cpu, wall = (statistics.median(getattr(one, what) for one in each) for what in ("cpu", "wall"))
        by = ", ".join(
            f"{what} {seconds:.1f}" for what, seconds in sorted(each[-1].by.items(), key=lambda one: -one[1])
        )
        rows.append([name, f"{cpu:.2f} s", f"{wall:.1f} s", f"{max(one.peak for one in each) >> 20} MB", by])
        seconds[name] = cpu
    figures = {
        "noop.sync_cpu_seconds": seconds["sync"],
        "noop.sync_over_ytdlp": seconds["sync"] / seconds["yt-dlp"],
        **{f"noop.{name}_cpu_seconds": seconds[name] for name in READING},
        "noop.reading_cpu_seconds": max(seconds[name] for name in READING),
    }
    goal = {"noop.sync_over_ytdlp": "<= 2", "noop.reading_cpu_seconds": "<= 0.8"}
    print_report("noop", ["what", "CPU", "wall", "peak", "seen by process, CPU s"], rows, figures, goal)


if __name__ == "__main__":
    main()
