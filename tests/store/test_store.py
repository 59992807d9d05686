"""What every store does, wherever it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from channelscribe.errors import InvalidSetting, KeyRefused, ObjectMissing, StoreConflict, StoreError
from channelscribe.store import MediaStore

KEY = "audio_files/youtube/-a_B9.mp3"


def test_round_trip(store: MediaStore, tmp_path: Path) -> None:
    source = tmp_path / "made.mp3"
    source.write_bytes(b"sound" * 1000)
    stored = store.put_file(source, KEY)
    assert (stored.key, stored.bytes) == (KEY, 5000)
    assert stored.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert store.exists(KEY)
    assert store.read_bytes(KEY) == source.read_bytes()
    with store.local_path(KEY) as path:
        assert path.suffix == ".mp3"
        assert path.read_bytes() == source.read_bytes()
    assert store.list() == [KEY]
    assert store.url(KEY).endswith(f"/library/{KEY}")
    store.delete(KEY)
    store.delete(KEY)
    assert not store.exists(KEY)
    assert store.list() == []


@pytest.mark.slow
def test_json(store: MediaStore) -> None:
    value = {"b": [1, None, "é😀"], "a": 0.1}
    store.put_json(value, "checkpoints/align/x.json")
    store.put_json({"a": 0.1, "b": [1, None, "é😀"]}, "checkpoints/align/x.json")  # the same bytes
    assert store.read_json("checkpoints/align/x.json") == value
    store.put_bytes(b"{", "processed/broken.json")
    with pytest.raises(StoreError, match="no JSON"):
        store.read_json("processed/broken.json")


def test_the_same_content_again_and_other_content(store: MediaStore, tmp_path: Path) -> None:
    first = store.put_bytes(b"one", KEY)
    assert store.put_bytes(b"one", KEY) == first
    with pytest.raises(StoreConflict):
        store.put_bytes(b"two", KEY)
    other = tmp_path / "two.mp3"
    other.write_bytes(b"two")
    with pytest.raises(StoreConflict):
        store.put_file(other, KEY)
    assert store.read_bytes(KEY) == b"one"
    store.put_file(other, KEY, overwrite=True)
    assert store.read_bytes(KEY) == b"two"


def test_what_is_missing(store: MediaStore) -> None:
    with pytest.raises(ObjectMissing):
        store.read_bytes(KEY)
    with pytest.raises(ObjectMissing):
        store.read_json(KEY)
    with pytest.raises(ObjectMissing), store.local_path(KEY):
        pass
    assert not store.exists(KEY)
    assert store.list("transcriptions") == []


def test_listing_below_a_folder(store: MediaStore) -> None:
    for key in ("a/1.txt", "a/2.txt", "ab/3.txt", "b/a/4.txt"):
        store.put_bytes(b"x", key)
    assert store.list("a") == store.list("a/") == ["a/1.txt", "a/2.txt"]
    assert store.list() == ["a/1.txt", "a/2.txt", "ab/3.txt", "b/a/4.txt"]
    assert not store.exists("a")  # a folder is no object


BAD_KEYS = [
    "", "/", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a/.hidden", ".partial/x", "a\x00b", "a\\b",
    "C:\\x", "a b", "ä", "a\nb", "~/x", "a?b", "x" * 201, "a/" * 500 + "a",
]  # fmt: skip


@pytest.mark.parametrize("key", BAD_KEYS, ids=repr)
def test_keys_that_leave_the_store_are_refused(tmp_path: Path, key: str) -> None:
    store = MediaStore(str(tmp_path / "library"))
    (tmp_path / "x").write_bytes(b"mine")
    for call in (
        lambda: store.put_bytes(b"x", key),
        lambda: store.put_file(tmp_path / "x", key),
        lambda: store.read_bytes(key),
        lambda: store.exists(key),
        lambda: store.delete(key),
        lambda: store.url(key),
        lambda: store.local_path(key).__enter__(),
    ):
        with pytest.raises(KeyRefused):
            call()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


@pytest.mark.parametrize("url", ["", "s3://", "http://host/x", "gs://bucket/x", "file://host/x"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidSetting):
        MediaStore(url)


def test_file_urls_are_folders(tmp_path: Path) -> None:
    store = MediaStore((tmp_path / "with space").as_uri())
    store.put_bytes(b"x", "a.txt")
    assert (tmp_path / "with space" / "a.txt").read_bytes() == b"x"
