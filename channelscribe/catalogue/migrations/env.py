"""What Alembic runs: the revisions, on the connection (and in the transaction) that `schema.migrate` opened."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from channelscribe.catalogue import tables  # noqa: F401  - fills the metadata
from channelscribe.catalogue.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
