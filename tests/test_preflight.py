"""What a run needs is looked at before it spends anything; what is missing is said with its remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channelscribe import preflight as looking
from channelscribe.errors import (
    AccessUnusable,
    ChannelscribeError,
    ModelUnavailable,
    StackError,
    StoreError,
    StoreNotWritable,
    StoreUnreachable,
    TextModelUnavailable,
    UnknownModel,
    stops_run,
)
from channelscribe.preflight import one_object_only, preflight, steps_here, try_store
from channelscribe.settings import Settings
from channelscribe.settings.registry import nest
from channelscribe.speech import hub_check
from channelscribe.store import MediaStore


def settings(folder: Path, **more: Any) -> Settings:
    given = {
        "data_dir": folder,
        "speech.model": "sample",
        **{key.replace("__", "."): each for key, each in more.items()},
    }
    return Settings.model_validate(nest(given))


def refused(folder: Path, store: MediaStore | None = None, **more: Any) -> ChannelscribeError:
    with pytest.raises(ChannelscribeError) as caught:
        preflight(settings(folder, **more), store or MediaStore(str(folder / "library")), seconds=60)
    assert stops_run(caught.value) and caught.value.remedy
    return caught.value


def test_with_all_in_order_nothing_is_left_and_no_engine_imported(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from channelscribe.preflight import preflight
from channelscribe.settings import Settings
from channelscribe.store import MediaStore
preflight(Settings.model_validate({{"data_dir": {str(tmp_path)!r}, "speech": {{"model": "sample"}}}}),
    MediaStore({str(tmp_path / "library")!r}))
print(sorted({{"torch", "whisperx", "faster_whisper", "spacy", "prefect"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_model_that_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    found = refused(tmp_path, speech__model="small")
    assert type(found) is ModelUnavailable and "small" in found.message
    gone = {"recognizer": str(tmp_path / "gone")}
    assert "There is no folder" in refused(tmp_path, speech={"model": "mine", "models": {"mine": gone}}).message
    assert type(refused(tmp_path, speech__model="larger-v9")) is UnknownModel


def test_a_model_in_the_cache_is_found_without_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--Systran--faster-whisper-small"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0123")
    (cached / "snapshots" / "0123").mkdir(parents=True)
    assert not hub_check.is_at_hand("small", "main")  # its download broke off
    (cached / "snapshots" / "0123" / "model.bin").write_bytes(b"weights")
    assert hub_check.is_at_hand("small", "main") and not hub_check.is_at_hand("small", "other")
    preflight(settings(tmp_path, speech__model="small"), MediaStore(str(tmp_path / "library")))


def test_our_names_are_faster_whispers() -> None:
    from faster_whisper.utils import _MODELS

    assert {name: _MODELS[name] for name in hub_check.RECOGNIZERS} == hub_check.RECOGNIZERS


def test_the_layout_of_the_cache_is_the_hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import try_to_load_from_cache

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--a--b"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "v1").write_text("0123")
    (folder / "snapshots" / "0123").mkdir(parents=True)
    (folder / "snapshots" / "0123" / "config.json").write_text("{}")
    assert isinstance(try_to_load_from_cache("a/b", "config.json", cache_dir=tmp_path, revision="v1"), str)
    assert hub_check.is_at_hand("a/b", "v1")


def test_engines_that_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "find_spec", lambda name: None)
    assert type(refused(tmp_path)) is TextModelUnavailable
    monkeypatch.setattr(hub_check, "find_spec", lambda name: None)
    assert "channelscribe[speech]" in refused(tmp_path).remedy
    # On a machine where other steps run it is not missed.
    preflight(settings(tmp_path, role="orchestrator"), MediaStore(str(tmp_path / "library")))


def test_what_runs_elsewhere_is_not_missed_here(tmp_path: Path) -> None:
    assert steps_here(settings(tmp_path)) == {"download", "audio", "speech", "text"}
    assert steps_here(settings(tmp_path, dask__scheduler="tcp://127.0.0.1:8786")) == steps_here(settings(tmp_path))
    assert steps_here(settings(tmp_path, dask__scheduler="tls://dask.example.org:8786")) == set()
    gpu = {"prefect__gpu_deployment": "transcribe-audio/gpu"}
    assert steps_here(settings(tmp_path, **gpu)) == {"download", "audio", "text"}
    assert steps_here(settings(tmp_path, role="speech", **gpu)) == {"speech", "text"}


def test_no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert type(refused(tmp_path)) is StackError


def test_cookies_that_are_no_good(tmp_path: Path) -> None:
    assert type(refused(tmp_path, sources__cookies="no cookies")) is AccessUnusable


def test_a_store_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("a file where the folder should be")
    assert isinstance(refused(tmp_path), StoreNotWritable)


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 30_000_000))
    found = refused(tmp_path)
    assert type(found) is StoreNotWritable and "30 MB are free" in found.message


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A mount that cannot be written; needs root."""
    place = tmp_path / "mounted"
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounts a tmpfs: needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64m", "tmpfs", place], check=False).returncode:
        pytest.skip("this root may not mount")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_read_only_mount(read_only: Path) -> None:
    assert "Read-only" in refused(read_only).message


class Refusing:
    """A store's place that refuses some keys, and answers for the others."""

    def __init__(self, store: MediaStore, *words: str) -> None:
        self._real, self._words = store._place, words

    def __getattr__(self, name: str) -> Any:
        def call(key: Any, *args: Any, **kwargs: Any) -> Any:
            if any(word in str(key) for word in self._words):
                raise StoreUnreachable("503 Slow Down", remedy="Check store.endpoint_url.")
            return getattr(self._real, name)(key, *args, **kwargs)

        return call


def test_a_store_that_fails_for_one_key_stops_no_run(tmp_path: Path) -> None:
    store = MediaStore(str(tmp_path / "library"))
    store._place = Refusing(store, "audio_files/youtube/x")  # type: ignore[assignment]
    with pytest.raises(StoreUnreachable) as caught:
        store.put_bytes(b"sound", "audio_files/youtube/x/x.mp3")
    assert stops_run(caught.value)
    of_one = one_object_only(caught.value, store)
    assert type(of_one) is StoreError and not stops_run(of_one)
    store._place = Refusing(store, "")  # type: ignore[assignment]
    assert one_object_only(caught.value, store) is caught.value


def test_a_store_is_tried_for_all_that_is_done_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MediaStore(str(tmp_path / "library"))
    try_store(store)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    monkeypatch.setattr(store._place, "delete", lambda keys: None)
    with pytest.raises(StoreNotWritable, match="refuses to delete"):
        try_store(store)


def test_a_run_does_not_need_to_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MediaStore(str(tmp_path / "library"))

    def refuse(keys: object) -> None:
        raise StoreNotWritable("AccessDenied")

    monkeypatch.setattr(store._place, "delete", refuse)
    for _ in range(2):
        preflight(settings(tmp_path), store)
    with pytest.raises(StoreNotWritable):
        try_store(store)
