"""What a task needs at hand in its worker process: settings, catalogue, store, scratch space. Opened once a process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from channelscribe.catalogue import Catalogue
from channelscribe.errors import CatalogueUnreachable
from channelscribe.laptop.places import places_of
from channelscribe.settings import Settings
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import on_arrival
from channelscribe.store import MediaStore


@cache
def own_settings() -> Settings:
    """This process's settings: its addresses and secrets."""
    return SettingsRegistry().resolve()


def settings_of(options: dict[str, Any]) -> Settings:
    """The run's settings on this worker."""
    return on_arrival(options)


@cache
def catalogue() -> Catalogue:
    url = own_settings().database.url
    if url is None:
        raise CatalogueUnreachable(
            "This worker has no database.",
            remedy="Set CHANNELSCRIBE_DATABASE__URL for every worker, or use the channelscribe command.",
        )
    return Catalogue(url.get_secret_value())


@cache
def store() -> MediaStore:
    settings = own_settings()
    return MediaStore(settings.store.url or str(places_of(settings.data_dir).library), settings.store)


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder for temporary files, gone afterwards. `name` must be safe for a path."""
    parent = places_of(own_settings().data_dir).scratch
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name[:60]}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def kept_scratch(name: str) -> Iterator[Path]:
    """A folder that stays when the work fails, so that a download can be resumed; gone when it succeeds."""
    folder = places_of(own_settings().data_dir).partial / name
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
