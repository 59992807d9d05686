"""What a short video costs beside its models: CPU seconds by process, and counts of what is done for it.

    make bench NAME=overhead

Syncs of one feed on one data folder, each a command of its own: a few new videos of eight seconds, then more new ones,
then nothing new. What the second took beyond the first, divided by the videos that it had more, is what a video costs;
the rest of the first is a start. Counted in every process but the Prefect server: statements to PostgreSQL, and the
commands that begin and end transactions; fsyncs, writes to the store, hashes of whole files (but for the store's own
while it writes); runs of ffmpeg; requests to the Prefect server, and clients that were made for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.report import print_report
from benchmarks.spent import Spent, measure
from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.sample import world
from channelscribe.sample.feed import FeedItem, sample_items
from channelscribe.sample.server import SampleServer

FEW, MANY = 3, 11
SECONDS = 8
PLUGIN = Path(__file__).parent / "counting"
ON_SAMPLE = ["--model", "sample", "--set", "text.models={en: sample}", "--set", "sources.allow_private_addresses=true"]
GOAL = {"overhead.cpu_seconds_a_video": "<= 1.5"}


def short_videos(count: int) -> tuple[list[FeedItem], dict[str, bytes]]:
    """Pieces of the sample's episodes, each another one, and the files."""
    items: list[FeedItem] = []
    files: dict[str, bytes] = {}
    spoken = [item for item in sample_items() if item.id != "interlude" and item.duration > 5 * SECONDS]
    for number in range(count):
        item, start = spoken[number % len(spoken)], SECONDS * (number // len(spoken))
        cut = [str(ffmpeg_path()), "-v", "error", "-ss", str(start), "-i", str(world.media_dir() / item.media)]
        content = subprocess.run(
            [*cut, "-t", str(SECONDS), "-b:a", "64k", "-f", "mp3", "-"], capture_output=True, check=True
        ).stdout
        name = f"short-{number}"
        items.append(replace(item, id=name, media=f"{name}.mp3", duration=SECONDS, length=len(content)))
        files[f"/media/{name}.mp3"] = content
    return items, files


def counts(folder: Path) -> dict[str, int]:
    """What was counted since the last time."""
    found = {file.name: file.stat().st_size for file in folder.iterdir()}
    for file in folder.iterdir():
        file.unlink()
    return found


def environment(data: Path, counting: Path) -> dict[str, str]:
    dropped = ("CHANNELSCRIBE_", "PREFECT_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {
        **kept,
        "CHANNELSCRIBE_DATA_DIR": str(data),
        "CHANNELSCRIBE_PASS_ENV": "COUNT_FOLDER",
        "COUNT_FOLDER": str(counting),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(PLUGIN),
        "XDG_CONFIG_HOME": str(data / "nowhere"),
    }


def main(first: int = FEW, more: int = MANY) -> None:
    items, extra = short_videos(first + more)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        counting = Path(folder) / "counts"
        counting.mkdir()
        env = environment(Path(folder) / "data", counting)
        with SampleServer(items=items[:first], extra=extra) as server:
            sync = [sys.executable, "-m", "flows.cli", "sync", server.feed_url, "--json", *ON_SAMPLE]

            def measured() -> tuple[Spent, dict[str, int]]:
                spent = measure(sync, env)
                if spent.code:
                    raise SystemExit(f"the sync failed: {spent.out[-2000:]}")
                return spent, counts(counting)

            measured()  # makes the databases
            server.items = items[: first + more // 3]
            few = measured()
            server.items = items
            many = measured()
            nothing = measured()
    report(few, many, nothing, more // 3, more - more // 3)


def report(
    few: tuple[Spent, dict[str, int]],
    many: tuple[Spent, dict[str, int]],
    nothing: tuple[Spent, dict[str, int]],
    fewer: int,
    more: int,
) -> None:
    """What `more` videos took beyond `fewer`, for each."""
    figures: dict[str, float] = {}
    rows: list[Sequence[str]] = []

    def line(what: str, name: str, one: float, other: float, none: float) -> None:
        each = (other - one) / (more - fewer)
        rows.append([what, f"{each:.2f}", f"{one - fewer * each:.1f}", f"{none:.1f}"])
        figures[f"overhead.{name}"] = each

    line("CPU seconds, all processes", "cpu_seconds_a_video", few[0].cpu, many[0].cpu, nothing[0].cpu)
    for process in sorted(many[0].by, key=lambda name: -many[0].by[name]):
        times = [spent.by.get(process, 0.0) for spent, _ in (few, many, nothing)]
        line(f"  {process}", f"cpu.{process.lower().replace(' ', '_')}_a_video", *times)
    for kind in sorted({*few[1], *many[1]}):
        # overhead.statements_a_video, overhead.transaction_commands_a_video, overhead.fsyncs_a_video,
        # overhead.prefect_requests_a_video, overhead.ffmpeg_runs_a_video, …
        numbers = [float(counted.get(kind, 0)) for _, counted in (few, many, nothing)]
        line(kind.replace("_", " "), f"{kind}_a_video", *numbers)
    print_report("overhead", ["what", "a video", "a start", "nothing new"], rows, figures, GOAL)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
