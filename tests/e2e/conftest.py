"""The demo, run once for all end-to-end tests: it fills the shared library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from tests.conftest import Cli, Ended


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
