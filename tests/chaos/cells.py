"""One cell of the matrix: a victim killed in the middle of a step, then the same again, then the comparison."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.chaos.victims import VICTIMS
from tests.chaos.world import State, World, settled


@dataclass
class Cell:
    """`extra` stage runs are those whose work was begun more often than without a kill; `wrong` says what is not as it
    should be; `ended` how the run that was struck came to its end.
    """

    victim: str
    step: str
    ended: str = ""
    extra: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_ok(self) -> bool:
        return not self.wrong

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.is_ok}


@dataclass
class Clean:
    """A run that nothing happened to."""

    state: State
    begun: Counter[str]
    processes: Counter[str]


def clean(world: World) -> Clean:
    summary = world.sync()
    assert summary and summary.get("published") == world.videos, summary
    return Clean(world.state(), world.begun(), world.processes())


def strike(world: World, victim: str, step: str, expected: Clean) -> Cell:
    """One cell. A world that does not come to rest is told as what is wrong."""
    cell, started = Cell(victim, step), time.monotonic()
    try:
        run_struck(world, cell)
        run_again(world, cell)
        compare(world, cell, expected)
    except TimeoutError as error:
        cell.wrong.append(str(error))
        world.flow().kill()
    cell.seconds = round(time.monotonic() - started, 1)
    return cell


def run_struck(world: World, cell: Cell) -> None:
    world.forget()
    world.arm(cell.step)
    flow = world.flow()
    flow.begin(world.site.feed_url)
    world.wait_held(cell.step)
    VICTIMS[cell.victim](world)
    world.let_go(cell.step)
    if cell.victim == "flow":
        cell.ended = "killed"
    else:
        cell.ended = told(flow.answer())
    # What it had in hand is free again when its lease has run out.
    settled("leases running out", lambda: world.leases() == 0)


def run_again(world: World, cell: Cell) -> None:
    """The same command."""
    ended = told(world.sync())
    if not ended.startswith("published"):
        cell.wrong.append(f"the same again: {ended}")


def told(summary: dict[str, Any] | None) -> str:
    if summary is None:
        return "died"
    if "published" not in summary:
        return f"failed: {summary.get('reason')}"
    if summary["failed"]:
        return f"published {summary['published']}, failed: {summary['failures'][0]['reason']}"
    return f"published {summary['published']}"


def compare(world: World, cell: Cell, expected: Clean) -> None:
    found, begun = world.state(), world.begun()
    cell.wrong += differences(found["files"], expected.state["files"])
    cell.wrong += [f"rows of {table}" for table, rows in expected.state["rows"].items() if found["rows"][table] != rows]
    cell.wrong += [f"current, not whole: {key}" for key in world.half_published()]
    cell.wrong += [f"left over: {each}" for each in world.partial_files()]
    if world.leases():
        cell.wrong.append("still leased")
    # Listing is what each run begins with: the second one's is no extra.
    more = begun - expected.begun - Counter({"list": 1})
    cell.extra = dict(more)
    if sum(more.values()) > 1:
        cell.wrong.append(f"extra stage runs: {dict(more)}")
    with suppress(TimeoutError):
        settled("the processes of before", lambda: world.processes() == expected.processes, 20.0)
    left = world.processes() - expected.processes
    if left:
        cell.wrong.append(f"processes left: {dict(left)}")


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    words = {(True, False): "missing", (False, True): "more", (True, True): "differs"}
    return [
        f"{words[name in expected, name in found]}: {name}{_where(found.get(name), expected.get(name))}"
        for name in names
    ]


def _where(found: str | None, expected: str | None) -> str:
    """The first place where two texts are not the same."""
    if found is None or expected is None:
        return ""
    same = next((at for at, (one, other) in enumerate(zip(found, expected, strict=False)) if one != other), 0)
    return f": {found[max(0, same - 40) : same + 20]!r} was {expected[max(0, same - 40) : same + 20]!r}"
