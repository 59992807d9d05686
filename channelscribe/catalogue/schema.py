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
from sqlmodel import Session

from channelscribe.catalogue.connection import Database, execute
from channelscribe.errors import CatalogueNotWritable, SchemaMismatch

__all__ = [
    "VERSION_TABLE",
    "check_schema",
    "check_writable",
    "known_revisions",
    "look_at",
    "migrate",
    "revision_of",
]

VERSION_TABLE = "channelscribe_schema"
OLDEST_SERVER = (15,)
MIGRATION_LOCK = 0x63685363  # any number that nobody else locks


def migrate(database: Database, to: str = "head") -> None:
    """Apply the missing migrations, all or none. Two processes at once: one does it, the other waits.

    `to` is the last one that is wanted: a backup goes into the schema that it was made of.

    Raises CatalogueUnreachable, and SchemaMismatch where a newer program has been here.
    """
    with database.connection() as connection:
        _check_server(database, connection)
        execute(connection, "SELECT pg_advisory_xact_lock(:lock)", lock=MIGRATION_LOCK)
        config = _config()
        found = _revision(connection)
        if found not in _known(config):
            raise _newer(database, found)
        if found != _head(config):
            config.attributes["connection"] = connection
            command.upgrade(config, to)


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
            remedy="`channelscribe sync` migrates it; save it first (pg_dump) if others use it.",
        )


def check_writable(session: Session | Connection) -> None:
    """Raise CatalogueNotWritable unless the catalogue can be changed, by this user and now. Changes nothing."""
    execute(session, "UPDATE video SET state = state WHERE false")


def look_at(database: Database) -> str:
    """What is at the address, in words; nothing is changed.

    Raises CatalogueUnreachable, CatalogueNotWritable, and SchemaMismatch for a server or a schema that does not do.
    """
    config = _config()
    with database.connection() as connection:
        _check_server(database, connection)
        server = ".".join(map(str, connection.dialect.server_version_info or ()))
        found = _revision(connection)
        if found not in _known(config):
            raise _newer(database, found)
        if found is not None:
            check_writable(connection)
        elif not execute(connection, "SELECT has_schema_privilege(current_schema(), 'CREATE')").scalar_one():
            raise CatalogueNotWritable(
                f"PostgreSQL at {database}: this user may not make tables.",
                remedy=f"GRANT CREATE ON SCHEMA public TO {database.url.username};",
            )
    if found is None:
        return f"PostgreSQL {server}, empty: the first sync makes its tables"
    older = f", which the next sync brings to {_head(config)}" if found != _head(config) else ""
    return f"PostgreSQL {server}, schema {found}{older}, can be written"


def _check_server(database: Database, connection: Connection) -> None:
    found = connection.dialect.server_version_info or OLDEST_SERVER
    if found < OLDEST_SERVER:
        version = ".".join(map(str, found))
        raise SchemaMismatch(
            f"the catalogue {database} is in PostgreSQL {version}; this program needs {OLDEST_SERVER[0]} or newer.",
            remedy="Update the server, or leave database.url empty for the embedded one.",
        )
    encoding = execute(connection, "SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise SchemaMismatch(
            f"the catalogue {database} has the encoding {encoding}; texts need UTF8.",
            remedy="Make a database for it: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )


def revision_of(database: Database) -> str | None:
    """The last migration that a database has had."""
    with database.connection() as connection:
        return _revision(connection)


def known_revisions() -> set[str | None]:
    """The schemas that this program can make."""
    return _known(_config())


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
