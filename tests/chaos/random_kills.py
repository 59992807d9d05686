"""Any process of a sync killed at any moment: `python -m tests.chaos --kills 50 [--seed 7]`.

Each round is a new data folder and `channelscribe sync` as a user calls it, again and again until it has nothing left
to do. Meanwhile `kill -9` strikes: the command, the supervisor, a server, a worker, an ffmpeg, whatever runs for the
folder. Then files and rows must be those of a sync that was left alone, and each kill may have cost one stage of each
video that was in work.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from channelscribe.local_stack import LocalStack
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings
from tests.chaos.cells import differences
from tests.chaos.world import State, World, kind, settled, short_videos
from tests.conftest import ON_SAMPLE, command

KILLS_A_ROUND = 6
LONGEST_ROUND = 600.0
LONGEST_SILENCE = 20.0
"""Seconds within which no process is left when the last command has ended."""


@dataclass
class Round:
    """What was struck, in order; how the commands ended; what is not as it should be."""

    seed: int
    struck: list[str] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    extra: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        told = "ok" if not self.wrong else "; ".join(self.wrong)
        return (
            f"seed {self.seed:<11} {self.seconds:6.1f} s  killed: {', '.join(self.struck)}  "
            f"ended: {self.ended}  extra: {dict(self.extra)}  {told}"
        )


@dataclass(frozen=True)
class Undisturbed:
    state: State
    begun: Counter[str]


def undisturbed(folder: Path, site: SampleServer, videos: int) -> Undisturbed:
    with World(folder, videos=videos, site=site) as world:
        code, summary = _ended(_begin(world))
        assert code == 0 and summary.get("published") == videos, (code, summary)
        with _looking(world):
            return Undisturbed(world.state(), world.begun())


def round_of(
    folder: Path, site: SampleServer, seed: int, expected: Undisturbed, *, kills: int = KILLS_A_ROUND, videos: int = 2
) -> Round:
    """One round; the same seed draws the same moments, whom they strike depends on what runs then."""
    drawn, made, started = random.Random(seed), Round(seed), time.monotonic()
    with World(folder, videos=videos, site=site) as world:
        try:
            _strike(world, drawn, kills, made)
        except TimeoutError as error:
            made.wrong.append(str(error))
        with suppress(TimeoutError):
            settled("the end of all processes", lambda: not world.processes(), LONGEST_SILENCE)
        if left := world.processes():
            made.wrong.append(f"processes left: {dict(left)}")
        with _looking(world):
            _compare(world, expected, made)
    made.seconds = time.monotonic() - started
    return made


def _strike(world: World, drawn: random.Random, kills: int, made: Round) -> None:
    """Sync and kill until all kills are spent and a sync has found nothing left to do."""
    deadline = time.monotonic() + LONGEST_ROUND
    running = _begin(world)
    while True:
        if time.monotonic() > deadline:
            running.process.kill()
            raise TimeoutError(f"not at rest within {LONGEST_ROUND:.0f} s")
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(drawn.uniform(0.3, 9.0) if len(made.struck) < kills else 1.0)
        if running.process.poll() is None:
            if len(made.struck) < kills and (victim := _victim(world, drawn)):
                made.struck.append(victim)
            continue
        code, summary = _ended(running)
        made.ended.append(code)
        if len(made.struck) >= kills and code == 0 and not summary.get("published") and not summary.get("held"):
            return
        running = _begin(world)


@dataclass(frozen=True)
class Running:
    """A sync, and the file of what it says."""

    process: subprocess.Popen[bytes]
    out: Path


def _begin(world: World) -> Running:
    out = world.chaos / "summary.json"
    with out.open("wb") as stdout:
        process = subprocess.Popen(
            command("sync", world.site.feed_url, *ON_SAMPLE, "--wait", "--json"),
            env=world.environment, stdout=stdout, stderr=world.log,
        )  # fmt: skip
    world.at_the_end(process.kill)
    return Running(process, out)


def _ended(running: Running) -> tuple[int, dict[str, Any]]:
    """The exit code and the summary; none where it was killed first."""
    code = running.process.wait()
    with suppress(ValueError):
        summary: dict[str, Any] = json.loads(running.out.read_bytes())
        return code, summary
    return code, {}


def _victim(world: World, drawn: random.Random) -> str | None:
    """Kill any process that works for the folder; returns what it was."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        mine = (process.info["environ"] or {}).get("CHANNELSCRIBE_DATA_DIR") == str(world.data)
        if mine and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    if not found:
        return None
    process = drawn.choice(sorted(found, key=lambda each: each.pid))
    with suppress(psutil.Error):
        process.kill()
        return kind(process.info["cmdline"] or [])
    return None


@contextmanager
def _looking(world: World) -> Iterator[None]:
    """With the library's database, to see what is there."""
    with LocalStack(Settings(data_dir=world.data), ["database"], command="random kills") as stack:
        stack.wait_ready()
        world.stack = stack
        yield


def _compare(world: World, expected: Undisturbed, made: Round) -> None:
    found = world.state()
    made.wrong += differences(found["files"], expected.state["files"])
    made.wrong += [f"rows of {table}" for table, rows in expected.state["rows"].items() if found["rows"][table] != rows]
    made.wrong += [f"current, not whole: {key}" for key in world.half_published()]
    if world.leases():
        made.wrong.append("still leased")
    begun = world.begun()
    made.extra = Counter({step: n for step, n in (begun - expected.begun).items() if step != "list"})
    if made.extra.total() > len(made.struck) * world.videos:
        made.wrong.append(f"extra stage runs: {dict(made.extra)}")


def main(kills: int, seed: int | None, videos: int = 2) -> int:
    """Returns how many rounds were not as they should be."""
    seed = seed if seed is not None else random.SystemRandom().randrange(10**9)
    bad = spent = 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, short_videos(videos) as site:
        expected = undisturbed(Path(folder) / "undisturbed", site, videos)
        while spent < kills:
            these = min(KILLS_A_ROUND, kills - spent)
            one = round_of(Path(folder) / f"round-{seed}", site, seed, expected, kills=these, videos=videos)
            print(one, flush=True)
            bad += bool(one.wrong)
            spent += len(one.struck)
            seed += 1
    print(json.dumps({"kills": spent, "rounds_wrong": bad}), file=sys.stderr)
    return bad
