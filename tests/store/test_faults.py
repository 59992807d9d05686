"""S3 behind a proxy that fails: whole or absent, the right bytes, no orphan uploads, few requests."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from channelscribe.errors import StoreConflict, StoreError, StoreUnreachable, stops_run
from channelscribe.files import sha256_file
from channelscribe.preflight import one_object_only
from channelscribe.settings.options import StoreOptions
from channelscribe.store import MediaStore
from channelscribe.store import bucket as store_bucket
from tests.store.fault_proxy import FaultProxy, Refusal

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


@pytest.mark.slow
@pytest.mark.usefixtures("few_tries")
def test_one_key_that_fails_stops_no_run(place: Place) -> None:
    down = (503, "ServiceUnavailable")
    place.proxy.refuses = lambda method, path, headers: down if "originals/youtube/a" in path else None
    with pytest.raises(StoreUnreachable) as caught:
        place.store.put_bytes(b"sound", KEY)
    assert stops_run(caught.value)
    of_one = one_object_only(caught.value, place.store)
    assert type(of_one) is StoreError and not stops_run(of_one)
    place.proxy.refuses = lambda method, path, headers: down
    assert one_object_only(caught.value, place.store) is caught.value


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_bucket, "PART_BYTES", PART)


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


@pytest.mark.long
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


@pytest.mark.slow
def test_a_part_that_fails_for_good_leaves_no_upload(
    few_tries: None, place: Place, tmp_path: Path, small_parts: None
) -> None:
    place.proxy.refuses = lambda _, path, headers: (503, "ServiceUnavailable") if "partNumber=3" in path else None
    with pytest.raises(StoreError):
        place.store.put_file(made(tmp_path / "a.m4a", 3 * PART + 1), KEY)
    assert place.proxy.requests["PUT"] >= 3
    assert place.uploads() == []
    assert place.direct.list() == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [1000, 3 * PART])
def test_a_file_that_changes_meanwhile_is_not_stored(
    place: Place, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """The last bytes are others when they are sent than when the sha256 was taken."""

    def before_it_changes(path: Path) -> str:
        known = sha256_file(path)
        with path.open("r+b") as file:
            file.seek(-1, 2)
            file.write(b"!")
        return known

    source = made(tmp_path / "a.m4a", size)
    monkeypatch.setattr("channelscribe.store.store.sha256_file", before_it_changes)
    for store in (place.store, MediaStore(str(tmp_path / "folder"))):
        source = made(tmp_path / "a.m4a", size)
        with pytest.raises(StoreError, match="changed"):
            store.put_file(source, KEY)
        assert store.list() == []
    assert place.uploads() == []


@pytest.mark.parametrize("prefix", ["library", ""])
def test_an_upload_of_a_killed_process_is_found_and_given_up(place: Place, s3: StoreOptions, prefix: str) -> None:
    """Ours alone: in a bucket that is shared, with and without a prefix, those of other programs go on."""
    ours = f"{prefix}/originals/youtube/a/140.m4a".lstrip("/")
    others = ["elsewhere/x", "dump.tar", "originals/photo.raw", "checkpoints/epoch-1.pt", "results/1/2/3/4.csv"]
    for key in (ours, *others):
        place.client.create_multipart_upload(Bucket=place.name, Key=key)
    store = MediaStore(f"s3://{place.name}/{prefix}", s3)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert store.unfinished(datetime(2000, 1, 1, tzinfo=UTC)) == []  # moto says 2010 of all
    assert store.unfinished(soon) == ["originals/youtube/a/140.m4a"]
    store.discard_unfinished(soon)
    assert store.unfinished(soon) == []
    assert sorted(upload["Key"] for upload in place.uploads()) == sorted(others)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1000, 3 * PART])
def test_a_conflict_is_asked_again_and_a_key_that_is_taken_is_not(
    place: Place, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """409: two conditional writes met, and nothing was decided. 412: somebody was faster."""
    monkeypatch.setattr(store_bucket, "PAUSE_SECONDS", 0)
    source = made(tmp_path / "a.m4a", size)
    conflicts: Iterator[bool] = iter([True, True])

    def conflict(method: str, path: str, headers: Message) -> Refusal | None:
        met = "If-None-Match" in headers and next(conflicts, False)
        return (409, "ConditionalRequestConflict") if met else None

    place.proxy.refuses = conflict
    place.store.put_file(source, KEY)
    assert next(conflicts, None) is None
    assert place.direct.read_bytes(KEY) == source.read_bytes()
    assert not place.store.add_bytes(b"later", KEY)
    conflicts = itertools.repeat(True)
    with pytest.raises(StoreError, match="ConditionalRequestConflict"):
        place.store.add_bytes(b"never", "originals/youtube/a/251.webm")
    assert place.direct.list() == [KEY]
    assert place.uploads() == []


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


@pytest.mark.slow
@pytest.mark.parametrize("size", [1000, 3 * PART])
def test_a_server_without_conditional_writes(place: Place, tmp_path: Path, small_parts: None, size: int) -> None:
    place.proxy.refuses = lambda _, path, headers: (501, "NotImplemented") if "If-None-Match" in headers else None
    source = made(tmp_path / "a.m4a", size)
    place.store.put_file(source, KEY)
    assert place.direct.read_bytes(KEY) == source.read_bytes()
    assert place.uploads() == []


def test_a_large_file_is_never_in_memory(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is held: parts of 8 MiB, four at a time; the largest request shows the size of a part."""
    large = tmp_path / "large.m4a"
    with large.open("wb") as file:
        file.truncate(160 << 20)
    inner: Any = place.direct._place
    requests: list[int] = []

    async def instead(method: str, **parameters: Any) -> Any:
        if method == "upload_part":
            requests.append(len(parameters["Body"]))
            return {"ETag": f"{parameters['PartNumber']}"}
        return {"UploadId": "1"} if method == "create_multipart_upload" else {}

    monkeypatch.setattr(inner._files, "_call_s3", instead)
    tracemalloc.start()
    inner.write(KEY, large, sha256_file(large), overwrite=True)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(requests) == 160 << 20
    assert most < 64 << 20
