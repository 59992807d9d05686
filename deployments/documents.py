"""The block types, and a first document of each from the settings of the machine that deploys.

A document that is there is never touched: people edit it in the Prefect UI. Nothing is made where the settings have
nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from prefect.blocks.core import Block
from prefect.client.schemas.objects import BlockDocument

from blocks import BLOCKS, CatalogueBlock, MediaStoreBlock, SiteAccessBlock, SpeechModelsBlock
from channelscribe.errors import ChannelscribeError, StackError
from channelscribe.settings import Settings
from channelscribe.settings.access import AccessOptions
from deployments.plan import Plan, found
from tasks.resources import loaded

DEFAULT = "default"
"""The name of the documents that are made from settings."""


@dataclass(frozen=True, slots=True)
class Document:
    """A block's document: the one that a setting names, else the one called `default`."""

    kind: type[Block]
    setting: str
    name: str
    make: Callable[[], Block | None]

    @property
    def title(self) -> str:
        return f"{self.kind.get_block_type_slug()}/{self.name}"

    def check(self) -> None:
        """Raises an error of the tree when it is not there, or its connection does not work from this machine."""
        try:
            block: Any = loaded(self.kind, self.name, self.setting)
        except httpx.TransportError as error:
            raise StackError(
                f"The Prefect server does not answer ({type(error).__name__}).", remedy="Look at prefect.api_url."
            ) from error
        block.check_reachable()


def documents(settings: Settings) -> list[Document]:
    """One for each type of block. `make` gives None where the settings hold nothing for it."""
    return [
        Document(CatalogueBlock, "database.block", settings.database.block or DEFAULT, lambda: catalogue(settings)),
        Document(MediaStoreBlock, "store.block", settings.store.block or DEFAULT, lambda: media_store(settings)),
        Document(SiteAccessBlock, "sources.access", settings.sources.access or DEFAULT, lambda: site_access(settings)),
        Document(SpeechModelsBlock, "speech.block", settings.speech.block or DEFAULT, lambda: speech_models(settings)),
    ]


def named(settings: Settings) -> list[Document]:
    """Only those that the settings name."""
    options = {
        "database.block": settings.database.block,
        "store.block": settings.store.block,
        "sources.access": settings.sources.access,
        "speech.block": settings.speech.block,
    }
    return [document for document in documents(settings) if options[document.setting]]


def catalogue(settings: Settings) -> Block | None:
    return CatalogueBlock(url=settings.database.url) if settings.database.url else None


def media_store(settings: Settings) -> Block | None:
    if not settings.store.url:
        return None
    return MediaStoreBlock(**{name: getattr(settings.store, name) for name in MediaStoreBlock.model_fields})


def site_access(settings: Settings) -> Block | None:
    given: dict[str, object] = {
        name: value
        for name in AccessOptions.model_fields
        if (value := getattr(settings.sources, name)) and name != "cookies_file"
    }
    if not given:
        return None
    if "player_clients" in given:
        given["player_clients"] = ",".join(settings.sources.player_clients)
    if "extractor_args" in given:
        given["extractor_args"] = "\n".join(each.get_secret_value() for each in settings.sources.extractor_args)
    return SiteAccessBlock.model_validate(given)


def speech_models(settings: Settings) -> Block | None:
    if not (settings.speech.hub_token or settings.speech.models):
        return None
    return SpeechModelsBlock(hub_token=settings.speech.hub_token, models=settings.speech.models)


def deploy_blocks(plan: Plan, wanted: list[Document]) -> None:
    """Types first. Their schemas have new checksums when a field changes; documents keep what they hold."""
    for kind in BLOCKS:
        deploy_block_type(plan, kind)
    for document in wanted:
        if there_is(plan, document) is None and (made := document.make()) is not None:
            plan.create("block", document.title, partial(made.save, document.name))


def deploy_block_type(plan: Plan, kind: type[Block]) -> None:
    slug = kind.get_block_type_slug()
    schema = found(plan.client.read_block_schema_by_checksum, kind._calculate_schema_checksum())
    plan.bring(
        "block type",
        slug,
        {"schema": True},
        found(plan.client.read_block_type_by_slug, slug),
        create=kind.register_type_and_schema,
        update=lambda _: kind.register_type_and_schema(),
        fields=lambda _: {"schema": schema is not None},
    )


def there_is(plan: Plan, document: Document) -> BlockDocument | None:
    return found(plan.client.read_block_document_by_name, document.name, document.kind.get_block_type_slug())


def unreachable(plan: Plan, wanted: list[Document]) -> dict[str, ChannelscribeError]:
    """The documents that are there and whose connection does not work from this machine, each with its error."""
    failed = {}
    for document in wanted:
        if there_is(plan, document):
            try:
                document.check()
            except ChannelscribeError as error:
                failed[document.title] = error
    return failed
