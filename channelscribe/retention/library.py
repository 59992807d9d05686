"""A library as a whole: the catalogue, the store, what this machine has beside them; and what goes of it, counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from channelscribe.catalogue.connection import Database
from channelscribe.local_stack.places import places_of
from channelscribe.settings import Settings
from channelscribe.store import MediaStore

__all__ = ["Library", "Report", "Tally", "batches", "size_of"]

EXAMPLES = 100
T = TypeVar("T")


@dataclass(frozen=True)
class Library:
    """`partial` holds the folders of downloads that were broken off, `old_results` what Prefect remembered of steps
    before the store did (releases up to 0.1.0), `logs` what was logged, `copies` the rows from before changes of the
    schema; all of them are this machine's own.
    """

    catalogue: Database
    store: MediaStore
    old_results: Path
    partial: Path
    logs: Path | None = None
    copies: Path | None = None

    @classmethod
    def of(cls, settings: Settings, catalogue: Database, store: MediaStore | None = None) -> Library:
        """The library that the settings name."""
        places = places_of(settings.data_dir)
        opened = store or MediaStore(settings.store.url or str(places.library), settings.store)
        return cls(catalogue, opened, places.library / "results", places.partial, places.logs, places.copies)


@dataclass(slots=True)
class Tally:
    """Things of one kind that go for one reason."""

    why: str
    kind: str
    count: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Report:
    """What a sweep or a takedown deleted, or would delete.

    `why` is one of taken_down, orphan, expired, unfinished, stale. `examples` are the first keys of all that go.
    """

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


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
