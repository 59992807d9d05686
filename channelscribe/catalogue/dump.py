"""All rows of a catalogue into files and back: PostgreSQL's own COPY format, one compressed file a table.

Needs no client programs, and goes from any PostgreSQL to any other: the tables are made by this program's migrations,
up to the one that the copy was made of, and columns that the database computes are computed anew.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection
from sqlmodel import SQLModel

from channelscribe.catalogue import tables
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.schema import known_revisions, migrate, revision_of
from channelscribe.errors import CatalogueError, SchemaMismatch, StoreError
from channelscribe.files import sha256_file

__all__ = ["dump", "load"]

PIECE = 1 << 20
STORED = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = :table AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
# Videos and transcripts point at each other: there is no order in which both can be filled.
CIRCLE = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'video'::regclass AND confrelid = 'transcript'::regclass AND contype = 'f'
"""


def dump(database: Database, folder: Path) -> dict[str, Any]:
    """One file a table, as of one moment; returns {"schema", "tables": {name: {"columns", "rows", "sha256"}}}."""
    contents: dict[str, Any] = {"schema": revision_of(database), "tables": {}}
    with database.connection() as connection:
        execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for name in _names():
            columns = list(execute(connection, STORED, table=name).scalars())
            if not columns:
                continue  # an older schema does not have it yet
            path = folder / f"{name}.copy.gz"
            with gzip.open(path, "wb", compresslevel=3) as file, _driver(connection).cursor() as cursor:
                with cursor.copy(_copy("COPY {} ({}) TO STDOUT", name, columns)) as copy:
                    for piece in copy:
                        file.write(piece)
                count = cursor.rowcount
            contents["tables"][name] = {"columns": columns, "rows": count, "sha256": sha256_file(path)}
    return contents


def load(database: Database, folder: Path, contents: dict[str, Any]) -> None:
    """Fill an empty database, all or nothing, and bring it to this program's schema."""
    _check(folder, contents)
    if contents["schema"] not in known_revisions():
        raise SchemaMismatch("the backup was made by a newer channelscribe.", remedy="Update this one.")
    if revision_of(database) not in (None, contents["schema"]):
        raise _not_new(database)
    migrate(database, contents["schema"])
    with database.connection() as connection:
        if execute(connection, "SELECT EXISTS (SELECT FROM source) OR EXISTS (SELECT FROM video)").scalar_one():
            raise _not_new(database)
        circle = [tuple(row) for row in execute(connection, CIRCLE)]
        for name, _ in circle:
            execute(connection, f"ALTER TABLE video DROP CONSTRAINT {name}")
        known = [name for name in _names() if name in contents["tables"]]
        for name in known:
            _fill(connection, name, folder / f"{name}.copy.gz", contents["tables"][name])
        for name, definition in circle:
            execute(connection, f"ALTER TABLE video ADD CONSTRAINT {name} {definition}")
        _count_on(connection, known)
    migrate(database)


def _not_new(database: Database) -> CatalogueError:
    return CatalogueError(
        f"the catalogue {database} is not empty.", remedy="Restore into a new data_dir, or a new database."
    )


def _check(folder: Path, contents: dict[str, Any]) -> None:
    for name, facts in contents["tables"].items():
        path = folder / f"{name}.copy.gz"
        if not path.is_file() or sha256_file(path) != facts["sha256"]:
            raise StoreError(
                f"{path} is not what was written there.", remedy="Take another backup.", reason="corrupt_object"
            )


def _fill(connection: Connection, name: str, path: Path, facts: dict[str, Any]) -> None:
    with gzip.open(path, "rb") as file, _driver(connection).cursor() as cursor:
        with cursor.copy(_copy("COPY {} ({}) FROM STDIN", name, facts["columns"])) as copy:
            while piece := file.read(PIECE):
                copy.write(piece)
        if cursor.rowcount != facts["rows"]:
            raise CatalogueError(f"{path} holds {cursor.rowcount} rows and not {facts['rows']}.")


def _count_on(connection: Connection, names: list[str]) -> None:
    """Numbers of rows go on after the highest."""
    for name in names:
        if "id" in SQLModel.metadata.tables[name].columns:
            query = f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name} HAVING max(id) > 0"  # noqa: S608
            execute(connection, query)


def _names() -> list[str]:
    """Our tables, those that others point to first."""
    ours = {getattr(getattr(tables, name), "__tablename__", None) for name in tables.__all__}
    return [table.name for table in SQLModel.metadata.sorted_tables if table.name in ours]


def _copy(template: str, name: str, columns: list[str]) -> sql.Composed:
    return sql.SQL(template).format(sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns)))


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver: Any = connection.connection.driver_connection
    return driver  # type: ignore[no-any-return]
