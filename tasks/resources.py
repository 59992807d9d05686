"""What a run and its tasks need at hand: settings, catalogue, store, scratch space. Opened once a process."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client

from blocks import CatalogueBlock, MediaStoreBlock, SiteAccessBlock, SpeechModelsBlock
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.schema import open_checked
from channelscribe.errors import CatalogueUnreachable, StackError
from channelscribe.local_stack.places import places_of
from channelscribe.settings import Settings, SourceOptions
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import VARIABLE, of_variable, on_arrival, refuse_own
from channelscribe.store import MediaStore
from tasks.logs import tell_runs

B = TypeVar("B", bound=Block)

FRESH_SECONDS = 60.0
"""How long a step may go on with the speech models that it saw; cookies are looked at each time."""


def run_settings(given: Mapping[str, Any]) -> Settings:
    """All layers up to the parameters of a run. Raises UnknownSetting or InvalidSetting, naming key and origin."""
    tell_runs(own_settings().log_level)
    dynamic = dynamic_settings()
    settings = SettingsRegistry(dynamic=dynamic, run=given).resolve()
    refuse_own(given, "the parameters of a run")
    return settings


def dynamic_settings() -> dict[str, Any]:
    """What the variable holds now, refused as a whole when something in it may not travel; empty without one."""
    with get_client(sync_client=True) as client:
        found = client.read_variable_by_name(VARIABLE)
    return of_variable(None if found is None else found.value)


@cache
def own_settings() -> Settings:
    """This process's settings: its addresses and secrets."""
    return SettingsRegistry().resolve()


def settings_of(options: dict[str, Any]) -> Settings:
    """The run's settings on this worker, with the models and the token of its block, if it has one."""
    settings = on_arrival(options)
    name = settings.speech.block or own_settings().speech.block
    if not name:
        return settings
    models = _speech_models(name, int(time.monotonic() / FRESH_SECONDS))
    return settings.model_copy(update={"speech": models.options(settings.speech)})


def source_options(options: dict[str, Any]) -> SourceOptions:
    """The run's options for sources, with this worker's access to sites: the block's fields over its own settings.

    The block is loaded here and each time, so that new cookies hold at once and no secret is in a run's parameters.
    Raises StackError when there is no such block, InvalidSetting when it is wrong.
    """
    sources = settings_of(options).sources
    name = sources.access or own_settings().sources.access
    if not name:
        return sources
    access = loaded(SiteAccessBlock, name, "sources.access").options()
    given = {field: value for field, value in access.model_dump().items() if value}
    if access.cookies or access.cookies_file:
        given = {"cookies": None, "cookies_file": None} | given  # the block's, whichever of the two it has
    return SourceOptions(**{**sources.model_dump(), **given})


def loaded(kind: type[B], name: str, setting: str) -> B:
    """A block's document from the Prefect server. Raises StackError, naming the setting that wants it."""
    try:
        found: B = kind.load(name)  # type: ignore[assignment]
    except ValueError as error:  # Prefect's word for a document that is not there
        raise StackError(
            f"The Prefect block {kind.get_block_type_slug()}/{name} cannot be loaded.",
            remedy=f"Create it in the Prefect UI, or empty {setting}.",
            reason="block",
        ) from error
    return found


@lru_cache(maxsize=4)
def _speech_models(name: str, _now: int) -> SpeechModelsBlock:
    return loaded(SpeechModelsBlock, name, "speech.block")


@cache
def catalogue() -> Database:
    block = own_settings().database.block
    if block:
        return loaded(CatalogueBlock, block, "database.block").catalogue()
    url = own_settings().database.url
    if url is None:
        raise CatalogueUnreachable(
            "This worker has no database.",
            remedy="Set database.url or database.block for every worker, or use the channelscribe command.",
        )
    return open_checked(url.get_secret_value())


@cache
def store() -> MediaStore:
    settings = own_settings()
    if settings.store.block:
        return loaded(MediaStoreBlock, settings.store.block, "store.block").store()
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
