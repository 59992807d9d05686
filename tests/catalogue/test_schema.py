"""Migrations: repeated, at once, compared with the tables, and refused when the database is newer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from channelscribe.catalogue import Catalogue
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.schema import VERSION_TABLE
from channelscribe.errors import SchemaMismatch
from tests.catalogue.conftest import NewDatabase


def test_migrating_twice_changes_nothing(empty_database: NewDatabase) -> None:
    url = empty_database()
    catalogue = Catalogue(url)
    with pytest.raises(SchemaMismatch, match="has schema none"):
        catalogue.check_schema()
    catalogue.migrate()
    catalogue.migrate()
    catalogue.check_schema()
    assert catalogue.status().videos == 0


def test_migrating_at_once(empty_database: NewDatabase) -> None:
    url = empty_database()
    several = [Catalogue(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Catalogue.migrate, several))
    several[0].check_schema()


def test_migrations_make_the_tables(empty_database: NewDatabase) -> None:
    url = empty_database()
    Catalogue(url).migrate()
    with Database(url).connection() as connection:
        options = {"version_table": VERSION_TABLE, "compare_server_default": True}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata)
    assert differences == []


def test_a_newer_schema_is_refused(empty_database: NewDatabase) -> None:
    url = empty_database()
    catalogue = Catalogue(url)
    catalogue.migrate()
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE channelscribe_schema SET version_num = '9999'")
    for method in (catalogue.check_schema, catalogue.migrate):
        with pytest.raises(SchemaMismatch, match="newer"):
            method()
