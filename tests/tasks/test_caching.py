"""The store is the memory: an answer of a step counts while all that it names is there, for whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect.results import ResultStore
from prefect.serializers import JSONSerializer

from channelscribe.settings import Settings
from channelscribe.store import MediaStore
from tasks import caching, download
from tasks.caching import Answers, ContentPolicy, named_keys
from tasks.prepare import PREPARE
from tasks.records import AudioPart, Checkpoint, Original, PreparedAudio, VideoWork
from tests.fixtures.old_library import unpacked

POLICY = ContentPolicy(step="fetch", version=3, parts=lambda given: (given["video"].video_id,), of_video=True)
VIDEO = VideoWork(pk=1, site="standin", video_id="yt-a", url="http://x/yt-a", title="T", channel="C", owner="me")
ORIGINAL = Original(key="originals/standin/yt-a/140.mp3", format_id="140", bytes=1, seconds=None, sha256="0" * 64)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MediaStore:
    """The store of the steps."""
    opened = MediaStore(str(tmp_path / "library"))
    monkeypatch.setattr(caching, "store", lambda: opened)
    monkeypatch.setattr(caching, "own_settings", lambda: Settings(data_dir=tmp_path))
    return opened


def results() -> ResultStore:
    """As an engine on any host makes it for a step."""
    return ResultStore(result_storage=Answers(), serializer=JSONSerializer())


def test_an_answer_counts_while_what_it_names_is_there(store: MediaStore) -> None:
    key = POLICY.key({"video": VIDEO})
    assert key.startswith("results/standin/yt-a/fetch-v3-")
    assert not results().exists(key)
    results().write(ORIGINAL, key)
    assert not results().exists(key)  # nothing is under the key that it names
    store.put_bytes(b"sound", ORIGINAL.key)
    assert results().exists(key)
    assert results().read(key).result == ORIGINAL
    assert POLICY.answered({"video": VIDEO})
    store.delete(ORIGINAL.key)
    assert not results().exists(key)
    assert not POLICY.answered({"video": VIDEO})
    earlier = POLICY.earlier({"video": VIDEO})
    assert earlier is not None and Original.model_validate(earlier) == ORIGINAL


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b'{"result": "{'])
def test_what_a_power_cut_left_of_an_answer_is_none(store: MediaStore, content: bytes) -> None:
    store.put_bytes(b"sound", ORIGINAL.key)
    key = POLICY.key({"video": VIDEO})
    store.put_bytes(content, key)
    assert not results().exists(key)
    assert not POLICY.answered({"video": VIDEO})
    results().write(ORIGINAL, key)
    assert results().read(key).result == ORIGINAL


def test_nothing_else_is_kept(store: MediaStore) -> None:
    """A failure that Prefect would put away under a random name: what was asked for could be in its words."""
    results().write({"message": "yt-a is private"}, "5e174a395b2c4cf6b356d5a1af874591")
    assert store.list() == []


def test_which_keys_a_record_names() -> None:
    part = AudioPart(track="archive", key="audio_parts/a/b/c.mp3", bytes=1, title="originals/x/y/z", timeline={})
    audio = PreparedAudio(
        source_sha256="", speech_sha256="", archive_key="audio_files/a/b.mp3", speech_key="speech_tracks/a/b/c.flac",
        seconds=1.0, format_id="", bytes=1, loudness=None, options_key="0" * 64, parts=[part],
    )  # fmt: skip
    named = ["audio_files/a/b.mp3", "speech_tracks/a/b/c.flac", "audio_parts/a/b/c.mp3"]
    assert list(named_keys(audio.model_dump())) == named
    assert list(named_keys(Checkpoint(key="checkpoints/align/1.json", content="1").model_dump())) == [
        "checkpoints/align/1.json"
    ]
    assert list(named_keys(ORIGINAL.model_dump())) == [ORIGINAL.key]


def test_what_the_release_before_kept_on_the_machine_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(tmp_path / "data")
    opened = MediaStore(str(tmp_path / "data" / "library"))
    monkeypatch.setattr(caching, "store", lambda: opened)
    monkeypatch.setattr(caching, "own_settings", lambda: Settings(data_dir=tmp_path / "data"))
    given: dict[str, Any] = {"video": VIDEO}
    found = results().read(download.DOWNLOAD.key(given)).result
    assert isinstance(found, Original)
    assert found.key == ORIGINAL.key
    given |= {"original": found, "options": {}}
    assert PREPARE.answered(given)
    opened.delete(found.key)
    assert not results().exists(download.DOWNLOAD.key(given))
    monkeypatch.setattr(caching, "store", lambda: MediaStore(str(tmp_path / "another")))
    assert not PREPARE.answered(given)  # its own folder, but another store
