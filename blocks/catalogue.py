"""Where rows go: a PostgreSQL."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database


class CatalogueBlock(Block):
    """The catalogue's database of a deployment."""

    _block_type_name = "channelscribe catalogue"
    _block_type_slug = "channelscribe-catalogue"
    _description = "The PostgreSQL in which channelscribe keeps videos, transcripts and entities."

    url: SecretStr = Field(title="URL", description="postgresql://user:password@host:5432/name, PostgreSQL >= 15")

    def catalogue(self) -> Database:
        """The library's catalogue."""
        return schema.open_checked(self.url.get_secret_value())

    def check_reachable(self) -> None:
        """Raises CatalogueUnreachable, or SchemaMismatch when its tables are not this program's."""
        catalogue = self.catalogue()
        try:
            catalogue.read(schema.check_schema)
        finally:
            catalogue.close()
