"""The bucket that a server's setup makes: once, and never what is in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from channelscribe.errors import StoreError
from channelscribe.settings import Settings, StoreOptions
from channelscribe.store import MediaStore
from deployments.bucket import make_bucket


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    yield "http://{}:{}".format(*moto.get_host_and_port())
    moto.stop()


def settings_of(server: str, region: str | None = None) -> Settings:
    store = StoreOptions(
        url=f"s3://setup-{uuid.uuid4().hex}/library",
        endpoint_url=server,
        access_key=SecretStr("key"),
        secret_key=SecretStr("secret"),
        region=region,
    )
    return Settings(store=store)


@pytest.mark.slow
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_bucket_is_made_once_and_what_is_in_it_stays(server: str, region: str) -> None:
    settings = settings_of(server, region)
    assert make_bucket(settings)
    store = MediaStore(settings.store.url or "", settings.store)
    store.put_bytes(b"an object", "kept.txt")
    assert not make_bucket(settings)
    assert [found.key for found in store.objects("")] == ["kept.txt"]


def test_a_folder_needs_none() -> None:
    assert not make_bucket(Settings())


def test_no_server_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channelscribe.store.bucket.TRIES", 1)
    with pytest.raises(StoreError):
        make_bucket(settings_of("http://127.0.0.1:9"))
