"""Brings a database to the schema of this program, and tells when it has another.

Migrations are Alembic revisions inside this package (`migrations/versions`), so they come with the wheel. Their
place in the database is the table `channelscribe_schema`, not `alembic_version`: Prefect may share the database.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from channelscribe.catalogue.connection import Database, execute
from channelscribe.errors import SchemaMismatch

__all__ = ["VERSION_TABLE", "check_schema", "migrate"]

VERSION_TABLE = "channelscribe_schema"
MIGRATION_LOCK = 0x63685363  # any number that nobody else locks


def migrate(database: Database) -> None:
    """Apply the missing migrations, all or none. Two processes at once: one does it, the other waits.

    Raises CatalogueUnreachable, and SchemaMismatch where a newer program has been here.
    """
    with database.connection() as connection:
        execute(connection, "SELECT pg_advisory_xact_lock(:lock)", lock=MIGRATION_LOCK)
        config = _config()
        found = _revision(connection)
        if found not in _known(config):
            raise _newer(database, found)
        if found != _head(config):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def check_schema(database: Database) -> None:
    """Raise SchemaMismatch unless the database has exactly this program's schema."""
    config = _config()
    with database.connection() as connection:
        found = _revision(connection)
    if found not in _known(config):
        raise _newer(database, found)
    if found != _head(config):
        raise SchemaMismatch(
            f"the catalogue {database} has schema {found or 'none'}, this program needs {_head(config)}.",
            remedy="Run any `channelscribe sync`, which migrates it.",
        )


def _newer(database: Database, found: str | None) -> SchemaMismatch:
    return SchemaMismatch(
        f"the catalogue {database} has schema {found}, made by a newer channelscribe.",
        remedy="Update this one.",
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "channelscribe.catalogue:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _head(config: Config) -> str | None:
    return ScriptDirectory.from_config(config).get_current_head()


def _known(config: Config) -> set[str | None]:
    return {None, *(script.revision for script in ScriptDirectory.from_config(config).walk_revisions())}
