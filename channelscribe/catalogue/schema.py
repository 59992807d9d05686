"""Brings a database to the schema of this program, and tells when it has another.

Migrations are Alembic revisions inside this package (`migrations/versions`), so they come with the wheel; a file is
named by its revision, so that who has none to apply need not load Alembic. Their place in the database is the table
`channelscribe_schema`, not `alembic_version`: Prefect may share the database.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from channelscribe.catalogue.connection import execute
from channelscribe.errors import CatalogueNotWritable, SchemaMismatch

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from channelscribe.catalogue.connection import Database, Reader, Transaction

__all__ = [
    "VERSION_TABLE",
    "check_schema",
    "check_writable",
    "is_ours",
    "known_revisions",
    "look_at",
    "migrate",
    "note_if_older",
    "open_checked",
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
        found = _revision(connection)
        if found not in known_revisions():
            raise _newer(found)
        if found != _revisions()[-1]:
            _upgrade(connection, to)


def open_checked(url: str) -> Database:
    """A database for a process that works for long: SchemaMismatch, within a minute, when it no longer has exactly the
    schema of this program. Others may have updated it, or may be older.
    """
    from channelscribe.catalogue.connection import Database

    return Database(url, look=check_schema)


def check_schema(session: Transaction) -> None:
    """Raise SchemaMismatch unless the database has exactly this program's schema."""
    found = _revision(session)
    if found not in known_revisions():
        raise _newer(found)
    if found != _revisions()[-1]:
        raise SchemaMismatch(
            f"The catalogue has schema {found or 'none'}, this program needs {_revisions()[-1]}.",
            remedy="`channelscribe sync` migrates it; save it first (pg_dump) if others use it.",
        )


def note_if_older(database: Database | Reader) -> str | None:
    """For what only reads: a sentence where the database has an older schema, None where it has this program's.

    What an older schema does not have raises SchemaMismatch when it is asked for; the rest can be read. Raises
    SchemaMismatch for a newer schema, and for none.
    """
    found = revision_of(database)
    if found is None:
        database.read(check_schema)
    if found not in known_revisions():
        raise _newer(found)
    if found == _revisions()[-1]:
        return None
    return (
        f"The catalogue has the older schema {found}, this program's is {_revisions()[-1]}: "
        "the next `channelscribe sync` brings it up to date. Until then it is only read."
    )


def check_writable(session: Transaction) -> None:
    """Raise CatalogueNotWritable unless the catalogue can be changed, by this user and now. Changes nothing."""
    execute(session, "UPDATE video SET state = state WHERE false")


def look_at(database: Database) -> str:
    """What is at the address, in words; nothing is changed.

    Raises CatalogueUnreachable, CatalogueNotWritable, and SchemaMismatch for a server or a schema that does not do.
    """
    with database.connection() as connection:
        _check_server(database, connection)
        server = ".".join(map(str, connection.dialect.server_version_info or ()))
        found = _revision(connection)
        if found not in known_revisions():
            raise _newer(found)
        if found is not None:
            check_writable(connection)
        elif not execute(connection, "SELECT has_schema_privilege(current_schema(), 'CREATE')").scalar_one():
            raise CatalogueNotWritable(
                f"PostgreSQL at {database}: this user may not make tables.",
                remedy=f"GRANT CREATE ON SCHEMA public TO {database.url.username};",
            )
    if found is None:
        return f"PostgreSQL {server}, empty: the first sync makes its tables"
    older = f", which the next sync brings to {_revisions()[-1]}" if found != _revisions()[-1] else ""
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


def revision_of(database: Database | Reader) -> str | None:
    """The last migration that a database has had."""
    return database.read(_revision)


def is_ours(database: Database) -> bool:
    """Whether a database has exactly this program's schema."""
    return revision_of(database) == _revisions()[-1]


def known_revisions() -> set[str | None]:
    """The schemas that this program can make."""
    return {None, *_revisions()}


def _newer(found: str | None) -> SchemaMismatch:
    return SchemaMismatch(
        f"The catalogue has schema {found}, made by a newer channelscribe.", remedy="Update this one."
    )


@cache
def _revisions() -> list[str]:
    """All migrations, the oldest first."""
    files = resources.files("channelscribe.catalogue.migrations").joinpath("versions").iterdir()
    return sorted(file.name[1:5] for file in files if file.name.startswith("r") and file.name.endswith(".py"))


def _revision(connection: Transaction) -> str | None:
    if not execute(connection, "SELECT to_regclass(:name) IS NOT NULL", name=VERSION_TABLE).scalar_one():
        return None
    found: str | None = execute(connection, f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608
    return found


def _upgrade(connection: Connection, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "channelscribe.catalogue:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
