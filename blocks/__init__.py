"""Connections that a person edits in the Prefect UI; each turns itself into an object of the library.

Block type slugs are fixed: deployments refer to them by name.
"""

from blocks.catalogue import CatalogueBlock
from blocks.media_store import MediaStoreBlock
from blocks.site_access import SiteAccessBlock
from blocks.speech_models import SpeechModelsBlock

__all__ = ["BLOCKS", "CatalogueBlock", "MediaStoreBlock", "SiteAccessBlock", "SpeechModelsBlock"]

BLOCKS = (CatalogueBlock, MediaStoreBlock, SiteAccessBlock, SpeechModelsBlock)
