"""Voices as steps keep them: an object of their own, which costs the turns nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from channelscribe.errors import OutOfMemory
from channelscribe.store import MediaStore
from channelscribe.store.layout import checkpoint_key, voices_key
from tasks import publish, speech
from tasks.records import ReadTranscript

KEY = checkpoint_key("diarize", "a" * 64)
HEARD = {"embedder": "ge2e/1", "voices": {"SPEAKER_00": {"vector": None, "seconds": 1.0, "spread": None}}}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MediaStore:
    made = MediaStore(str(tmp_path))
    for module in (publish, speech):
        monkeypatch.setattr(module, "store", lambda: made)
    monkeypatch.setattr(speech, "catalogue", lambda: SimpleNamespace(run=lambda *_: None))
    return made


def test_they_are_found_by_the_diarization(store: MediaStore) -> None:
    key = voices_key(KEY)
    assert key == checkpoint_key("voices", "a" * 64) and voices_key(checkpoint_key("align", "a" * 64)) is None
    read = ReadTranscript(
        transcript_id="t", transcript_key="k", reading_key="r", checkpoint_keys=[checkpoint_key("align", "b" * 64), KEY]
    )
    assert publish.heard_voices(read) == ([], None)
    store.put_json(HEARD, key)
    assert publish.heard_voices(read) == ([key], HEARD)


def test_what_fails_costs_the_voices_alone(store: MediaStore, caplog: pytest.LogCaptureFixture) -> None:
    video: Any = SimpleNamespace(pk=1, video_id="v")
    key = checkpoint_key("voices", "a" * 64)

    def fails() -> NoReturn:
        raise ValueError("no voice")

    def ends() -> NoReturn:
        raise OutOfMemory("no room")

    speech._keep_voices(video, key, fails)
    assert "The voices of v were not heard: no voice" in caplog.text and not store.exists(key)
    with pytest.raises(OutOfMemory):
        speech._keep_voices(video, key, ends)
    speech._keep_voices(video, key, lambda: HEARD)
    speech._keep_voices(video, key, fails)  # it is there: nobody is heard again
    assert store.read_json(key) == HEARD
