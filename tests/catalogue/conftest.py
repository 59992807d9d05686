"""One embedded PostgreSQL for all tests here; each test finds an empty catalogue."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database, driver_connection
from channelscribe.local_stack.postgres import EmbeddedServer, temporary_server

NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    # Not pytest's folder: as root it is closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="channelscribe-test-"))
    with temporary_server(folder / "postgres") as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def empty_database(server: EmbeddedServer) -> NewDatabase:
    """Makes a database with nothing in it; returns its URL."""
    numbers = itertools.count(1)
    return lambda: _create(server, f"empty_{next(numbers)}")


@pytest.fixture(scope="session")
def new_database(server: EmbeddedServer) -> NewDatabase:
    """Makes a migrated database; returns its URL."""
    numbers = itertools.count(1)

    def make() -> str:
        url = _create(server, f"migrated_{next(numbers)}")
        catalogue = Database(url)
        schema.migrate(catalogue)
        catalogue.close()
        return url

    return make


@pytest.fixture(scope="session")
def one_database(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture(scope="session")
def opened(one_database: str) -> Iterator[Database]:
    opened = Database(one_database)
    yield opened
    opened.close()


@pytest.fixture
def catalogue(opened: Database) -> Database:
    """An empty catalogue."""
    with opened.session() as session:
        empty(driver_connection(session))
    return opened


def empty(connection: psycopg.Connection[Any]) -> None:
    """Delete all rows and begin to count anew; of few rows in many tables three times as fast as TRUNCATE."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'channelscribe_schema'"
    names = [name for (name,) in connection.execute(tables)]
    connection.execute("SET LOCAL session_replication_role = replica")  # no order among them
    connection.execute(";".join(f"DELETE FROM {name}" for name in names))  # type: ignore[arg-type]  # noqa: S608
    connection.execute(
        "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
    )


def _create(server: EmbeddedServer, name: str) -> str:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_url(server.url).set(database=name).render_as_string(hide_password=False)
