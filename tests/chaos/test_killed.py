"""Killed and interrupted at half of all steps, then the same again: files and rows as of a sync that ran through.

A part of the kill matrix, each in the middle of its step: the command itself at download (`kill -9`) and at align
(Ctrl-C), the speech worker at recognize, a CPU worker at read, PostgreSQL at publish. `make chaos` does all of it.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.chaos.cells import clean, differences, told
from tests.chaos.victims import cpu_worker, postgres, speech_worker
from tests.chaos.world import World, settled
from tests.conftest import ON_SAMPLE, command

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900), pytest.mark.long]

EXIT_INTERRUPTED = 130
Strike = tuple[str, Callable[[], object]]
"""A step, and what is done in its middle."""


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("killed"), videos=2) as made:
        yield made


def strike(world: World, begin: Callable[[], object], strikes: Sequence[Strike], *, go_on: bool) -> None:
    """Begin a sync and do each thing in the middle of its step, which waits for that; the last may `go_on`, too."""
    world.arm(strikes[0][0])
    begin()
    for (step, what), (following, _) in zip(strikes, [*strikes[1:], ("", None)], strict=True):
        world.wait_held(step)
        what()
        if following:
            world.arm(following)
        if following or go_on:
            world.let_go(step)


class Command:
    """`channelscribe sync`, which starts the stack that it needs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.process: subprocess.Popen[bytes]

    def begin(self) -> None:
        self.process = subprocess.Popen(
            command("sync", self.world.site.feed_url, *ON_SAMPLE),
            env=self.world.environment,
            stdout=subprocess.DEVNULL,
            stderr=self.world.log,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
        )
        self.world.at_the_end(self.process.kill)

    def kill(self) -> None:
        """The stack stays."""
        self.world.join()
        self.process.kill()

    def interrupt(self) -> None:
        """Ctrl-C; it is the last that uses the stack."""
        self.world.part()
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        """Its exit code, when nothing of it runs any more."""
        code = self.process.wait(60)
        settled("the end of all processes", lambda: not self.world.processes(), 60)
        return code


def test_killed_and_interrupted_ends_as_one_that_ran_through(world: World) -> None:
    first, second = Command(world), Command(world)
    strike(world, first.begin, [("download", first.kill)], go_on=False)
    assert first.process.wait() == -signal.SIGKILL
    settled("leases running out", lambda: world.leases() == 0)
    strikes: list[Strike] = [("recognize", lambda: speech_worker(world)), ("align", second.interrupt)]
    strike(world, second.begin, strikes, go_on=False)
    assert second.ended() == EXIT_INTERRUPTED
    so_far = set(world.begun())
    assert {"download", "recognize", "align"} <= so_far and not {"read", "publish"} & so_far

    flow = world.flow()
    world.join()
    strikes = [("read", lambda: cpu_worker(world)), ("publish", lambda: postgres(world))]
    strike(world, lambda: flow.begin(world.site.feed_url), strikes, go_on=True)
    assert told(flow.answer()) == f"published {world.videos}"
    struck = world.state()
    again = world.sync()
    assert again is not None and (again["published"], again["failed"]) == (0, 0)
    assert world.state() == struck
    assert (world.leases(), world.half_published(), world.partial_files()) == (0, [], [])
    struck_begun = world.begun()

    world.forget()
    through = clean(world)
    assert differences(struck["files"], through.state["files"]) == []
    assert struck["rows"] == through.state["rows"]
    assert len(struck["files"]) > 20 and len(struck["rows"]["segment"]) > 2
    # One stage run a kill, of each video that was in the killed process; recognized together or one by one.
    allowed = dict.fromkeys(("download", "recognize", "read", "publish"), world.videos) | {"align": 1}
    extra = struck_begun - through.begun
    assert all(count <= allowed.get(step, 0) for step, count in extra.items() if step != "list"), extra
