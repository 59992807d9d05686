"""The laptop stack: how long until it is ready, what each stage of the demo costs, and whisperx's own command line
over the same audio with the same models beside it.

    make bench NAME=laptop

A is `channelscribe demo` on an empty data folder: services, download, both audio files, recognition, alignment,
speakers, text, files, rows. B is one call of `whisperx` with all episodes: decoding, recognition, alignment,
speakers, files. Both in turn, ROUNDS times, each in processes of its own; medians are shown.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.report import print_report
from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.local_stack import LocalStack
from channelscribe.sample import world
from channelscribe.settings import Settings

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
STAGES = ("list-source", "download", "prepare", "recognize", "align", "diarize", "read", "publish")
OFFLINE = {"HF_HUB_OFFLINE": "1", "PYANNOTE_METRICS_ENABLED": "0"}


def run_demo(data: Path) -> tuple[float, dict[str, float], dict[str, float]]:
    """(wall seconds, seconds until each service answered, busy seconds of each stage)."""
    started = time.monotonic()
    ready: dict[str, float] = {}
    # The demo shares this stack, which stays until the task runs have been read from its API.
    with LocalStack(Settings(data_dir=data), command="benchmark", told=ready.__setitem__) as stack:
        stack.wait_ready()
        environment = {**os.environ, **OFFLINE, "CHANNELSCRIBE_DATA_DIR": str(data)}
        demo = [sys.executable, "-m", "flows.cli", "demo", "--json"]
        subprocess.run(demo, env=environment, check=True, stdout=subprocess.DEVNULL)
        wall = time.monotonic() - started
        stages = busy_seconds(stack.addresses.prefect_api_url or "")
    return wall, ready, stages


def busy_seconds(api_url: str) -> dict[str, float]:
    """Seconds that the task runs of each name took, added up: stages overlap, so their sum may exceed the wall."""
    totals: dict[str, float] = defaultdict(float)
    offset, page = 0, ask(api_url, 0)
    while page:
        for run in page:
            name = run["name"].split(" ")[0].rsplit("-", 1)[0] if " " not in run["name"] else run["name"].split(" ")[0]
            if run["start_time"] and run["end_time"]:
                begin, end = (datetime.fromisoformat(run[key]) for key in ("start_time", "end_time"))
                totals[name] += (end - begin).total_seconds()
        offset += len(page)
        page = ask(api_url, offset)
    return totals


def ask(api_url: str, offset: int) -> list[dict[str, Any]]:
    body = json.dumps({"limit": 200, "offset": offset}).encode()
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{api_url}/task_runs/filter", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        found: list[dict[str, Any]] = json.load(answer)
        return found


def run_whisperx(folder: Path) -> float:
    """Wall seconds of whisperx's command line over all episodes, diarization included."""
    tools = folder / "bin"
    tools.mkdir()
    (tools / "ffmpeg").symlink_to(ffmpeg_path())
    models = world.models_dir()
    environment = {
        **os.environ,
        **OFFLINE,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "NLTK_DATA": str(models / "nltk_data"),
    }
    options = {
        "model": str(models / "whisper.en"),
        "align_model": str(models / "align"),
        "diarize_model": str(world.diarizer_folder(folder / "diarizer")),
        "device": "cpu",
        "compute_type": "int8",
        "language": "en",
        "chunk_size": "15",
        "batch_size": "4",
        "threads": str(os.cpu_count()),
        "output_dir": str(folder / "out"),
    }
    command = [sys.executable, "-m", "whisperx", *(str(episode.path) for episode in world.episodes()), "--diarize"]
    command += [part for name, value in options.items() for part in (f"--{name}", value)]
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"whisperx failed: {done.stderr[-2000:]}")
    return time.monotonic() - started


def main() -> None:
    walls, readies, others, stages = [], [], [], defaultdict(list)
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            wall, ready, busy = run_demo(Path(folder) / "data")
            walls.append(wall)
            readies.append(max(ready.values()))
            for name in STAGES:
                stages[name].append(busy.get(name, 0.0))
            others.append(run_whisperx(Path(folder)))
    wall, ready_seconds, other = statistics.median(walls), statistics.median(readies), statistics.median(others)
    audio = sum(episode.duration for episode in world.episodes())
    busy_total = sum(statistics.median(values) for values in stages.values())
    rows = [["ready (services answer)", f"{ready_seconds:.1f} s", f"{ready_seconds / wall:.0%} of the wall"]]
    figures = {"ready_seconds": ready_seconds, "ready_share": ready_seconds / wall}
    for name in STAGES:
        seconds = statistics.median(stages[name])
        rows.append([name, f"{seconds:.1f} s", f"{seconds / busy_total:.0%} of the stages"])
        figures[f"share.{name}"] = seconds / busy_total
    rows.append(["channelscribe demo, whole", f"{wall:.1f} s", f"{wall / audio:.2f} x the audio's length"])
    rows.append(["whisperx command line", f"{other:.1f} s", f"{other / audio:.2f} x the audio's length"])
    figures |= {"wall_seconds": wall, "whisperx_seconds": other, "whisperx.wall_ratio": wall / other}
    print_report("laptop", ["what", "median", "share"], rows, figures, {"whisperx.wall_ratio": "<= 1.5"})


if __name__ == "__main__":
    main()
