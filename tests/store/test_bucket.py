"""What is particular to S3: who may write, where it is, and large objects."""

from __future__ import annotations

import socket
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest

from channelscribe.errors import StoreNotWritable, StoreUnreachable
from channelscribe.settings.options import StoreOptions
from channelscribe.store import MediaStore


def test_a_missing_bucket_is_for_the_operator(s3: StoreOptions) -> None:
    with pytest.raises(StoreNotWritable, match="does not exist"):
        MediaStore("s3://there-is-no-such-bucket", s3).put_bytes(b"x", "a.txt")


@pytest.mark.slow
def test_no_server(s3: StoreOptions) -> None:
    with socket.socket() as taken:  # bound, not listening: refused at once
        taken.bind(("127.0.0.1", 0))
        options = s3.model_copy(update={"endpoint_url": f"http://127.0.0.1:{taken.getsockname()[1]}"})
        with pytest.raises(StoreUnreachable) as caught:
            MediaStore("s3://bucket", options).put_bytes(b"x", "a.txt")
    assert "canary-secret" not in str(caught.value)


def test_objects_of_others_are_compared_by_content(s3: StoreOptions, bucket: str) -> None:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "canary-secret"}
    client = boto3.client("s3", endpoint_url=s3.endpoint_url, region_name=s3.region, **keys)
    client.put_object(Bucket=bucket, Key="a.txt", Body=b"by hand")
    store = MediaStore(f"s3://{bucket}", s3)
    store.put_bytes(b"by hand", "a.txt")
    assert store.list() == ["a.txt"]


def test_an_object_in_parts(s3: StoreOptions, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda size, chunksize=None: 5 << 20)  # else from 100 MiB on
    large = tmp_path / "large.flac"
    large.write_bytes(bytes(11 << 20))
    store = MediaStore(f"s3://{bucket}/deep/er", s3)
    stored = store.put_file(large, "large.flac")
    assert store.put_file(large, "large.flac") == stored
    with store.local_path("large.flac") as path:
        assert path.stat().st_size == stored.bytes == 11 << 20
