from __future__ import annotations

from collections.abc import Iterator

import pytest

from channelscribe.settings.options import SourceOptions
from tests.standin.site import StandinSite


@pytest.fixture
def site() -> Iterator[StandinSite]:
    with StandinSite(b"\xff\xfb" + bytes(range(256)) * 200, seconds_of_sound=20) as running:
        yield running


@pytest.fixture
def options() -> SourceOptions:
    return SourceOptions(allow_private_addresses=True, retries=0, timeout_seconds=5)
