"""A sync of VIDEOS with the Prefect UI open, and what Prefect's server lost of it.

    make bench NAME=ui_open

A browser's tabs are stood in for by READERS threads that ask what the pages of runs, task runs, logs, artifacts and
deployments ask, as fast as the server answers. A write is lost where the server says so in its log, answers with an
error of its own, or where a task run of the sync has no state of the end.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from benchmarks.report import print_report
from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.local_stack import LocalStack
from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from channelscribe.sample.world import media_dir
from channelscribe.settings import Settings

VIDEOS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
READERS = 4
SECONDS = 3
PAGES = ("flow_runs/filter", "task_runs/filter", "logs/filter", "artifacts/latest/filter", "deployments/filter")
SETTINGS = ["--model", "sample", "--set", "text.models={en: sample}", "--set", "sources.allow_private_addresses=true",
            "--set", "sources.pause_seconds=0"]  # fmt: skip
LOST = re.compile(r"database is locked|deadlock detected|could not serialize|Traceback \(most recent|QueuePool limit")


class Reader(threading.Thread):
    """One open page after the other."""

    def __init__(self, api_url: str, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.api_url, self.ended = api_url, ended
        self.requests, self.errors, self.slowest = 0, 0, 0.0

    def run(self) -> None:
        while not self.ended.is_set():
            for page in PAGES:
                begun = time.monotonic()
                try:
                    ask(self.api_url, page, limit=200)
                except httpx.HTTPStatusError as error:
                    self.errors += error.response.status_code >= 500
                self.requests += 1
                self.slowest = max(self.slowest, time.monotonic() - begun)


def ask(api_url: str, page: str, **body: Any) -> Any:
    """Raises httpx.HTTPStatusError."""
    return httpx.post(f"{api_url}/{page}", json=body, timeout=60).raise_for_status().json()


def clips() -> tuple[list[Any], dict[str, bytes]]:
    """VIDEOS episodes of SECONDS each, of other content: each begins a little later."""
    first = next(item for item in sample_items() if item.id != "interlude")
    items, files = [], {}
    for number in range(VIDEOS):
        cut = ["-ss", str(number / 4), "-t", str(SECONDS), "-i", str(media_dir() / first.media)]
        made = subprocess.run([ffmpeg_path(), "-v", "error", *cut, "-b:a", "64k", "-f", "mp3", "-"],
                              capture_output=True, check=True).stdout  # fmt: skip
        name = f"clip-{number}.mp3"
        items.append(replace(first, id=f"clip-{number}", media=name, duration=SECONDS, length=len(made)))
        files[f"/media/{name}"] = made
    return items, files


def going_on(api_url: str) -> list[str]:
    """Task runs without a state of the end, when the server has had time to take in what it was told."""
    deadline = time.monotonic() + 60
    while True:
        states = {"state": {"type": {"any_": ["PENDING", "RUNNING", "SCHEDULED"]}}}
        found = [f"{run['name']}: {run['state_name']}" for run in ask(api_url, "task_runs/filter", task_runs=states)]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(1)


def lost_by(log: list[str]) -> list[str]:
    """What the server's log says of lost writes, each with the last line of its traceback."""
    found = []
    for number, line in enumerate(log):
        if LOST.search(line):
            after = log[number + 1 :]
            found.append(f"{line} {next((each for each in after if each and not each.startswith(' ')), '')}"[:300])
    return found


def main() -> None:
    items, files = clips()
    ended = threading.Event()
    with (
        tempfile.TemporaryDirectory(prefix="channelscribe-") as folder,
        SampleServer(items=items, extra=files) as site,
        LocalStack(Settings(data_dir=Path(folder)), command="benchmark") as stack,
    ):
        stack.wait_ready()
        api_url = stack.addresses.prefect_api_url or ""
        readers = [Reader(api_url, ended) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "CHANNELSCRIBE_DATA_DIR": folder}
        command = [sys.executable, "-m", "flows.cli", "sync", site.feed_url, *SETTINGS, "--json"]
        begun = time.monotonic()
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        wall = time.monotonic() - begun
        ended.set()
        for reader in readers:
            reader.join()
        unfinished = going_on(api_url)
        logged = lost_by((Path(folder) / "logs" / "prefect-server.log").read_text().splitlines())
    errors = sum(reader.errors for reader in readers)
    for told in [*unfinished, *logged, *[f"{errors} answers of 5xx"] * (errors > 0)]:
        print(told, file=sys.stderr)
    figures = {
        "ui_open.published": json.loads(done.stdout)["published"],
        "ui_open.wall_seconds": wall,
        "ui_open.requests": sum(reader.requests for reader in readers),
        "ui_open.slowest_seconds": max(reader.slowest for reader in readers),
        "ui_open.lost_writes": len(logged) + errors + len(unfinished),
    }
    rows = [[name.partition(".")[2].replace("_", " "), f"{value:.1f}"] for name, value in figures.items()]
    print_report("ui_open", ["what", "figure"], rows, figures, {"ui_open.lost_writes": "<= 0"})


if __name__ == "__main__":
    main()
