"""What a sweep or a takedown deleted, or would delete."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Report", "Tally"]

EXAMPLES = 100


@dataclass(slots=True)
class Tally:
    """Things of one kind that go for one reason."""

    why: str
    kind: str
    count: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Report:
    """`why` is one of taken_down, orphan, expired, unfinished, stale. `examples` are the first keys of all that go."""

    deleted: bool
    tallies: list[Tally] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def add(self, why: str, kind: str, name: str, size: int = 0) -> None:
        """One more."""
        tally = next((each for each in self.tallies if (each.why, each.kind) == (why, kind)), None)
        if tally is None:
            tally = Tally(why, kind)
            self.tallies.append(tally)
        tally.count += 1
        tally.bytes += size
        if len(self.examples) < EXAMPLES:
            self.examples.append(name)

    def count(self, why: str | None = None) -> int:
        """How many things, for one reason or for any."""
        return sum(each.count for each in self.tallies if why in (None, each.why))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
