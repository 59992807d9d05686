"""The shared stack's Prefect server, as what is declared sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe.local_stack import LocalStack


@pytest.fixture(scope="module")
def server(stack: LocalStack) -> Iterator[SyncPrefectClient]:
    """A client; within this process everything of Prefect's goes to the same server."""
    with temporary_settings({PREFECT_API_URL: stack.addresses.prefect_api_url}), get_client(sync_client=True) as client:
        yield client
