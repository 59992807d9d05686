"""One embedded PostgreSQL for all tests here; each test has a database of its own, copied from a migrated one."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from channelscribe.catalogue import Catalogue
from channelscribe.catalogue.embedded import EmbeddedServer, temporary_server

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
    return lambda: _create(server, f"empty_{next(numbers)}", "template1")


@pytest.fixture(scope="session")
def new_database(server: EmbeddedServer) -> NewDatabase:
    """Makes a migrated database; returns its URL."""
    catalogue = Catalogue(_create(server, "migrated", "template1"))
    catalogue.migrate()
    catalogue.close()
    numbers = itertools.count(1)
    return lambda: _create(server, f"test_{next(numbers)}", "migrated")


@pytest.fixture
def catalogue(new_database: NewDatabase) -> Iterator[Catalogue]:
    opened = Catalogue(new_database())
    yield opened
    opened.close()


def _create(server: EmbeddedServer, name: str, template: str) -> str:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return make_url(server.url).set(database=name).render_as_string(hide_password=False)
