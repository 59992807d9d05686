"""One embedded PostgreSQL and one S3 server (moto's, over HTTP) a process, whatever tests it runs; each test finds an
empty catalogue and a new bucket.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from sqlalchemy import make_url

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database, driver_connection
from channelscribe.local_stack.postgres import EmbeddedServer, temporary_server
from channelscribe.settings.options import StoreOptions

NewDatabase = Callable[[], str]
NewBucket = Callable[[], str]


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


@pytest.fixture(scope="session")
def s3() -> Iterator[StoreOptions]:
    """Options of a running S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield StoreOptions(
        endpoint_url=f"http://{host}:{port}",
        access_key=SecretStr("key"),
        secret_key=SecretStr("canary-secret"),
        region="us-east-1",
    )
    server.stop()


@pytest.fixture(scope="session")
def new_bucket(s3: StoreOptions) -> NewBucket:
    """Makes a bucket; returns its name."""
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url,
        aws_access_key_id="key",
        aws_secret_access_key="canary-secret",
        region_name="us-east-1",
    )

    def make() -> str:
        name = f"bucket-{uuid.uuid4().hex}"
        client.create_bucket(Bucket=name)
        return name

    return make


@pytest.fixture
def bucket(new_bucket: NewBucket) -> str:
    """The name of a new bucket."""
    return new_bucket()


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
