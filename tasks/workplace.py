"""What a task needs at hand in its worker process: settings, catalogue, store, scratch space. Opened once a process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from blocks.site_access import SiteAccessBlock
from channelscribe.catalogue import Catalogue
from channelscribe.errors import CatalogueUnreachable, StackError
from channelscribe.laptop.places import places_of
from channelscribe.settings import Settings, SourceOptions
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


def source_options(options: dict[str, Any]) -> SourceOptions:
    """The run's options for sources, with this worker's access to sites: the block's fields over its own settings.

    The block is loaded here and each time, so that new cookies hold at once and no secret is in a run's parameters.
    Raises StackError when there is no such block, InvalidSetting when it is wrong.
    """
    sources = settings_of(options).sources
    name = sources.access or own_settings().sources.access
    if not name:
        return sources
    access = _site_access(name).options()
    given = {field: value for field, value in access.model_dump().items() if value}
    if access.cookies or access.cookies_file:
        given = {"cookies": None, "cookies_file": None} | given  # the block's, whichever of the two it has
    return SourceOptions(**{**sources.model_dump(), **given})


def _site_access(name: str) -> SiteAccessBlock:
    try:
        loaded: SiteAccessBlock = SiteAccessBlock.load(name)  # type: ignore[assignment]
    except ValueError as error:  # Prefect's word for a document that is not there
        slug = SiteAccessBlock.get_block_type_slug()
        raise StackError(
            f"The Prefect block {slug}/{name} cannot be loaded.",
            remedy="Create it in the Prefect UI, or empty sources.access.",
            reason="site_access",
        ) from error
    return loaded


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
