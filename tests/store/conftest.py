"""The same tests on a folder and on an S3 server (moto's, over HTTP)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from channelscribe.settings.options import StoreOptions
from channelscribe.store import MediaStore

NewBucket = Callable[[], str]


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


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    if request.param == "folder":
        return MediaStore(str(tmp_path / "library"))
    name = request.getfixturevalue("bucket")
    return MediaStore(f"s3://{name}/library", request.getfixturevalue("s3"))
