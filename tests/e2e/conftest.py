"""The demo, run once for all end-to-end tests: it fills the shared library. And a process that syncs what they ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.schema import migrate
from channelscribe.local_stack import LocalStack
from tests.conftest import Cli, Ended
from tests.e2e.syncing import Syncs


@pytest.fixture(scope="session")
def demo(cli: Cli) -> Ended:
    return cli("demo")


@pytest.fixture(scope="session")
def library(demo: Ended, stack: LocalStack) -> Iterator[Database]:
    """The catalogue after the demo."""
    assert demo.code == 0, str(demo)
    catalogue = Database(stack.addresses.database_url or "")
    yield catalogue
    catalogue.close()


@pytest.fixture(scope="module")
def sync(stack: LocalStack, data_dir: Path) -> Iterator[Syncs]:
    """Syncs in one process, on the shared stack."""
    with Syncs(data_dir) as syncs:
        yield syncs


@pytest.fixture(scope="module")
def catalogue(stack: LocalStack) -> Iterator[Database]:
    """The shared stack's catalogue, which need not be empty."""
    database = Database(stack.addresses.database_url or "")
    migrate(database)
    yield database
    database.close()
