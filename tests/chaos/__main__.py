"""The kill matrix: `python -m tests.chaos [--victim NAME …] [--step NAME …] [--json]`, or `make chaos`.

With `--kills N` any process is killed at any moment instead: `tests.chaos.random_kills`.

Each victim is killed with `kill -9` in the middle of each step; then the same sync runs again. Files and rows must be
those of a run without a kill (ids, times and what was measured aside), at most one stage's work may have been begun
once more, nothing may be leased, no process left, no transcript current without its files.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TextIO

from tests.chaos import random_kills
from tests.chaos.cells import Cell, clean, strike
from tests.chaos.victims import ON_THE_POOL, STEPS, UNLESS_NAMED, VICTIMS
from tests.chaos.world import World

DEFAULT = [each for each in VICTIMS if each not in UNLESS_NAMED]


def main() -> int:
    options = parsed()
    if options.kills:
        return 1 if random_kills.main(options.kills, options.seed) else 0
    cells: list[Cell] = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        for pool in (False, True):
            victims = [each for each in options.victim or DEFAULT if (each in ON_THE_POOL) == pool]
            if not victims:
                continue
            with World(Path(folder) / ("pool" if pool else "plain"), pool=pool) as world:
                world.hold()
                expected = clean(world)
                for victim in victims:
                    for step in options.step or STEPS:
                        cells.append(strike(world, victim, step, expected))
                        tell(cells[-1], sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps([each.to_dict() for each in cells]))
    bad = sum(not each.is_ok for each in cells)
    print(f"{len(cells)} cells, {bad} not as they should be", file=sys.stderr if options.json else sys.stdout)
    return 1 if bad else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill any process at any step, then run the same again.")
    parser.add_argument("--victim", action="append", choices=list(VICTIMS), help="only this one; may be repeated")
    parser.add_argument("--step", action="append", choices=STEPS, help="only this one; may be repeated")
    parser.add_argument("--kills", type=int, help="kill at random, this often in all, instead of by the table")
    parser.add_argument("--seed", type=int, help="draw the moments from this; the rounds print theirs")
    parser.add_argument("--json", action="store_true", help="one JSON list on stdout, the table on stderr")
    return parser.parse_args()


def tell(cell: Cell, out: TextIO) -> None:
    extra = ", ".join(f"{name} {count}" for name, count in cell.extra.items()) or "-"
    result = "ok" if cell.is_ok else "; ".join(cell.wrong)
    print(
        f"{cell.victim:13} {cell.step:10} {cell.seconds:6.1f} s  run: {cell.ended:28} extra: {extra:14} {result}",
        file=out, flush=True,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
