"""A library as a whole: the catalogue, the store, and what this machine has beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from channelscribe.catalogue.connection import Database
from channelscribe.local_stack.places import places_of
from channelscribe.settings import Settings
from channelscribe.store import MediaStore

__all__ = ["Library"]


@dataclass(frozen=True)
class Library:
    """`results` holds what the engine remembers of steps (small JSON files that name objects of the store), `partial`
    the folders of downloads that were broken off, `copies` the rows from before changes of the schema; all of them
    are this machine's own.
    """

    catalogue: Database
    store: MediaStore
    results: Path
    partial: Path
    copies: Path | None = None

    @classmethod
    def of(cls, settings: Settings, catalogue: Database, store: MediaStore | None = None) -> Library:
        """The library that the settings name."""
        places = places_of(settings.data_dir)
        opened = store or MediaStore(settings.store.url or str(places.library), settings.store)
        return cls(catalogue, opened, places.library / "results", places.partial, places.copies)
