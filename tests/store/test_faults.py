"""S3 behind a proxy that fails: whole or absent, the right bytes, no orphan uploads, few requests."""

from __future__ import annotations

import hashlib
import random
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from channelscribe.errors import StoreConflict, StoreError, StoreUnreachable, stops_run
from channelscribe.files import sha256_file
from channelscribe.preflight import one_object_only
from channelscribe.settings.options import StoreOptions
from channelscribe.store import MediaStore, multipart, parallel
from channelscribe.store import bucket as store_bucket
from tests.store.fault_proxy import FaultProxy

PART = 5 << 20
KEY = "originals/youtube/a/140.m4a"


@dataclass
class Place:
    proxy: FaultProxy
    store: MediaStore
    direct: MediaStore
    client: Any
    name: str

    def uploads(self) -> list[Any]:
        found: list[Any] = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return found


@pytest.fixture
def few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_bucket, "TRIES", 2)


@pytest.fixture
def place(s3: StoreOptions, bucket: str) -> Iterator[Place]:
    proxy = FaultProxy(s3.endpoint_url or "")
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "canary-secret"}
    client = boto3.client("s3", endpoint_url=s3.endpoint_url, region_name=s3.region, **keys)
    with proxy.serving() as address:
        through = s3.model_copy(update={"endpoint_url": address})
        url = f"s3://{bucket}/library"
        yield Place(proxy, MediaStore(url, through), MediaStore(url, s3), client, bucket)


@pytest.mark.usefixtures("few_tries")
def test_one_key_that_fails_stops_no_run(place: Place) -> None:
    place.proxy.refused = "originals/youtube/a"
    with pytest.raises(StoreUnreachable) as caught:
        place.store.put_bytes(b"sound", KEY)
    assert stops_run(caught.value)
    of_one = one_object_only(caught.value, place.store)
    assert type(of_one) is StoreError and not stops_run(of_one)
    place.proxy.refused, place.proxy.unavailable = "", 1.0
    assert one_object_only(caught.value, place.store) is caught.value


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (parallel, multipart, store_bucket):
        monkeypatch.setattr(module, "PART_BYTES", PART)


def made(path: Path, size: int) -> Path:
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def work(place: Place, tmp_path: Path) -> dict[str, str]:
    """What a sync does with a store: small objects, the same again, a look, a large file there and back."""
    contents = {f"checkpoints/align/{n:064x}.json": f"content {n}".encode() * 500 for n in range(40)}

    def one(item: tuple[str, bytes]) -> None:
        key, content = item
        assert not place.store.exists(key)
        assert place.store.add_bytes(content, key)
        place.store.put_bytes(content, key)
        assert place.store.read_bytes(key) == content

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, contents.items()))
    large = made(tmp_path / "large.m4a", 3 * PART + 17)
    stored = place.store.put_file(large, KEY)
    with place.store.local_path(KEY) as path:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == stored.sha256
    sums = {key: hashlib.sha256(content).hexdigest() for key, content in contents.items()}
    return {**sums, KEY: stored.sha256}


def test_with_one_in_five_failing_everything_is_whole(place: Place, tmp_path: Path, small_parts: None) -> None:
    expected = work(place, tmp_path)
    without = place.proxy.total
    assert without <= 40 * 4 + 1 + 4 + 2 + 4  # look, send, compare, read; the large one: compare, parts, begin and end
    for key in expected:
        place.direct.delete(key)
    place.proxy.forget()
    place.proxy.unavailable, place.proxy.cut, place.proxy.slow = 0.2, 0.03, 0.03
    assert work(place, tmp_path) == expected
    assert place.proxy.total <= 1.5 * without, place.proxy.requests
    assert {key: hashlib.sha256(place.direct.read_bytes(key)).hexdigest() for key in place.direct.list()} == expected
    assert place.uploads() == []


@pytest.mark.parametrize("size", [1000, 3 * PART])
def test_a_server_that_never_answers_well(
    few_tries: None, place: Place, tmp_path: Path, small_parts: None, size: int
) -> None:
    place.proxy.unavailable = 1.0
    with pytest.raises(StoreError):
        place.store.put_file(made(tmp_path / "a.m4a", size), KEY)
    assert place.direct.list() == []
    assert place.uploads() == []


def test_a_part_that_fails_for_good_leaves_no_upload(
    place: Place, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    source = made(tmp_path / "a.m4a", 2 * PART + 1)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(multipart, "checksum", dies)
        place.store.put_file(source, KEY)
    assert place.uploads() == []
    assert place.direct.list() == []


def test_a_file_that_changes_meanwhile_is_not_stored(
    place: Place, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channelscribe.store.store.sha256_file", lambda _: "0" * 64)
    for size in (1000, PART + 1):
        with pytest.raises(StoreError, match="changed"):
            place.store.put_file(made(tmp_path / "a.m4a", size), KEY)
    assert place.direct.list() == []
    assert place.uploads() == []
    with pytest.raises(StoreError, match="changed"):
        MediaStore(str(tmp_path / "folder")).put_file(made(tmp_path / "a.m4a", 1000), KEY)
    assert MediaStore(str(tmp_path / "folder")).list() == []


def test_an_upload_of_a_killed_process_is_found_and_given_up(place: Place, tmp_path: Path) -> None:
    for key in ("library/originals/a/b.m4a", "elsewhere/x"):
        place.client.create_multipart_upload(Bucket=place.name, Key=key)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert place.store.unfinished(datetime(2000, 1, 1, tzinfo=UTC)) == []  # moto says 2010 of all
    assert place.store.unfinished(soon) == ["originals/a/b.m4a"]
    place.store.discard_unfinished(soon)
    assert place.store.unfinished(soon) == []
    assert [upload["Key"] for upload in place.uploads()] == ["elsewhere/x"]  # not ours


def test_a_damaged_object_is_told(place: Place) -> None:
    place.client.put_object(Bucket=place.name, Key=f"library/{KEY}", Body=b"other", Metadata={"sha256": "0" * 64})
    with pytest.raises(StoreError, match="not what was stored") as caught:
        place.store.read_bytes(KEY)
    assert caught.value.reason == "corrupt_object"


def test_of_writers_at_once_one_wins(store: MediaStore) -> None:
    start = threading.Barrier(8)

    def write(number: int) -> bool:
        start.wait()
        try:
            store.put_bytes(f"content {number}".encode(), KEY)
            return True
        except StoreConflict:
            return False

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(write, range(8)))
    assert sum(done) == 1
    assert store.read_bytes(KEY) == f"content {done.index(True)}".encode()
    assert not store.add_bytes(b"later", KEY)
    assert store.read_bytes(KEY) == f"content {done.index(True)}".encode()


def test_a_server_without_conditional_writes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    inner: Any = place.store._place
    whole = inner._files.call_s3

    def refuses(method: str, **parameters: Any) -> Any:
        if "IfNoneMatch" in parameters:
            refusal = ClientError({"Error": {"Code": "NotImplemented", "Message": "A header"}}, method)
            raise OSError("A header you provided implies functionality that is not implemented") from refusal
        return whole(method, **parameters)

    monkeypatch.setattr(inner._files, "call_s3", refuses)
    place.store.put_bytes(b"x", KEY)
    assert place.direct.read_bytes(KEY) == b"x"


def test_a_large_file_is_never_in_memory(place: Place, tmp_path: Path) -> None:
    """By what is held: parts of 8 MiB, four at a time; the largest request shows the size of a part."""
    large = tmp_path / "large.m4a"
    with large.open("wb") as file:
        file.truncate(160 << 20)
    tracemalloc.start()
    inner: Any = place.direct._place
    requests: list[int] = []
    whole = inner._files.call_s3

    def instead(method: str, **parameters: Any) -> Any:
        if method == "upload_part":
            requests.append(len(parameters["Body"]))
            return {"ETag": f"{parameters['PartNumber']}"}
        return {"UploadId": "1"} if method == "create_multipart_upload" else {}

    inner._files.call_s3 = instead
    inner.write(KEY, large, sha256_file(large), overwrite=True)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    inner._files.call_s3 = whole
    assert sum(requests) == 160 << 20
    assert most < 64 << 20
