"""What is particular to S3: who may write, where it is, and large objects."""

from __future__ import annotations

import socket
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest

from channelscribe.errors import StoreNotWritable, StoreUnreachable
from channelscribe.settings.options import StoreOptions
from channelscribe.store import MediaStore
from tests.store.fault_proxy import FaultProxy


def test_a_missing_bucket_is_for_the_operator(s3: StoreOptions) -> None:
    with pytest.raises(StoreNotWritable, match="does not exist"):
        MediaStore("s3://there-is-no-such-bucket", s3).put_bytes(b"x", "a.txt")


def test_no_server(s3: StoreOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channelscribe.store.bucket.TRIES", 2)
    with socket.socket() as taken:  # bound, not listening: refused at once
        taken.bind(("127.0.0.1", 0))
        options = s3.model_copy(update={"endpoint_url": f"http://127.0.0.1:{taken.getsockname()[1]}"})
        with pytest.raises(StoreUnreachable) as caught:
            MediaStore("s3://bucket", options).put_bytes(b"x", "a.txt")
    assert "canary-secret" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "XMinioStorageFull"])
def test_what_the_server_refuses_is_for_the_operator(s3: StoreOptions, bucket: str, code: str) -> None:
    """moto checks no keys and is never full: the answers of servers that do are put in its place."""
    proxy = FaultProxy(s3.endpoint_url or "")
    status = 507 if code == "XMinioStorageFull" else 403
    proxy.refuses = lambda method, path, headers: (status, code) if method == "PUT" else None
    with proxy.serving() as address:
        store = MediaStore(f"s3://{bucket}", s3.model_copy(update={"endpoint_url": address}))
        with pytest.raises(StoreNotWritable) as caught:
            store.put_bytes(b"x", "a.txt")
        assert store.list() == []
    assert ("room" if code == "XMinioStorageFull" else "store.secret_key") in caught.value.remedy
    assert "canary-secret" not in str(caught.value)


def test_without_keys_the_environments_own_chain_is_asked(
    s3: StoreOptions, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = tmp_path / "credentials"
    profiles.write_text("[archive]\naws_access_key_id = of-the-profile\naws_secret_access_key = secret\n")
    proxy = FaultProxy(s3.endpoint_url or "")
    with proxy.serving() as address:
        bare = s3.model_copy(update={"endpoint_url": address, "access_key": None, "secret_key": None})
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles))
        monkeypatch.setenv("AWS_PROFILE", "archive")
        MediaStore(f"s3://{bucket}", bare).put_bytes(b"x", "a.txt")
        monkeypatch.delenv("AWS_PROFILE")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        MediaStore(f"s3://{bucket}", bare).put_bytes(b"x", "b.txt")
        assert proxy.keys == {"of-the-profile", "of-the-environment"}
        proxy.keys.clear()
        MediaStore(f"s3://{bucket}", s3.model_copy(update={"endpoint_url": address})).put_bytes(b"x", "c.txt")
        assert proxy.keys == {"key"}  # ours win


def test_an_empty_object(s3: StoreOptions, bucket: str) -> None:
    store = MediaStore(f"s3://{bucket}", s3)
    store.put_bytes(b"", "a.txt")
    assert store.read_bytes("a.txt") == b""


def test_many_are_listed_and_deleted(s3: StoreOptions, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channelscribe.store.bucket.AT_ONCE", 10)
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "canary-secret"}
    client = boto3.client("s3", endpoint_url=s3.endpoint_url, region_name=s3.region, **keys)
    store = MediaStore(f"s3://{bucket}/library", s3)
    for number in range(23):
        client.put_object(Bucket=bucket, Key=f"library/a/{number}.txt", Body=b"x")
    found = store.list()
    assert len(found) == 23
    store.delete_all(found)
    assert store.list() == []


def test_objects_of_others_are_compared_by_content(s3: StoreOptions, bucket: str) -> None:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "canary-secret"}
    client = boto3.client("s3", endpoint_url=s3.endpoint_url, region_name=s3.region, **keys)
    client.put_object(Bucket=bucket, Key="a.txt", Body=b"by hand")
    store = MediaStore(f"s3://{bucket}", s3)
    store.put_bytes(b"by hand", "a.txt")
    assert store.list() == ["a.txt"]


def test_an_object_in_parts(s3: StoreOptions, bucket: str, tmp_path: Path) -> None:
    large = tmp_path / "large.flac"
    large.write_bytes(bytes(11 << 20))
    store = MediaStore(f"s3://{bucket}/deep/er", s3)
    stored = store.put_file(large, "large.flac")
    assert store.put_file(large, "large.flac") == stored
    with store.local_path("large.flac") as path:
        assert path.stat().st_size == stored.bytes == 11 << 20
