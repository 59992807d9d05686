"""`channelscribe audio` on local files, as its own process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.audio.probe import probe
from tests.audio.conftest import RATE, speech_like
from tests.conftest import run_command

pytestmark = pytest.mark.slow


def test_one_bad_file_never_stops_the_rest(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    good, bad, twin = tmp_path / "talk.wav", tmp_path / "bad.mp3", tmp_path / "other" / "talk.wav"
    soundfile.write(good, speech_like(12), RATE)
    bad.write_text("#EXTM3U\n/etc/passwd\n")
    twin.parent.mkdir()
    soundfile.write(twin, speech_like(5), RATE)
    given = [str(path) for path in (bad, good, tmp_path / "none.wav", twin, good)]
    split = ["--steps", "convert,split", "--set", "audio.split.max_minutes=0.1", "--out", str(out)]
    done = run_command(data, "audio", *given, *split, "--json")
    assert done.code == 3, str(done)
    assert [(file["file"], file["made"]) for file in done.json["files"]] == [(str(good), True), (str(twin), True)]
    assert [failure["reason"] for failure in done.json["failures"]] == ["corrupt_media", "no_such_file"]
    assert done.err.count("[corrupt_media]") == 1
    talk, other = done.json["files"]
    assert len(talk["parts"]) >= 2 and Path(other["archive"]["path"]).name == "talk-2.archive.mp3"
    assert probe(Path(talk["archive"]["path"])).tags["title"] == "talk"
    for part in talk["parts"]:
        ((start, end),) = part["timeline"]["kept"]
        assert probe(Path(part["path"])).duration == pytest.approx(end - start, abs=0.1)
    assert not (data / "postgres").exists()

    # The same again does nothing; other options replace what is there and leave no old parts.
    stamps = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = run_command(data, "audio", str(good), str(twin), *split)
    assert (again.code, again.out.count("was there already")) == (0, 2), str(again)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == stamps
    opus = run_command(data, "audio", str(good), "--set", "audio.convert.format=opus", "--out", str(out))
    assert opus.code == 0, str(opus)
    names = {path.name for path in out.iterdir() if not path.name.startswith("talk-2")}
    assert names == {"talk.archive.opus", "talk.speech.flac", "talk.audio.json"}
    kept = json.loads((out / "talk.audio.json").read_text())["speech"]["timeline"]
    assert kept == {"original_seconds": 12.0, "kept": [[0.0, 12.0]]}
    shutil.rmtree(out)


def test_wrong_usage_and_nothing_done(tmp_path: Path) -> None:
    (tmp_path / "bad.mp3").write_bytes(b"")
    alone = run_command(tmp_path / "data", "audio", str(tmp_path / "bad.mp3"), "--out", str(tmp_path / "out"))
    assert (alone.code, alone.out) == (1, "") and "[empty_media]" in alone.err
    steps = run_command(tmp_path / "data", "audio", str(tmp_path / "bad.mp3"), "--steps", "normalize")
    assert steps.code == 2 and "put convert before it" in steps.err
    cover = run_command(tmp_path / "data", "audio", str(tmp_path / "bad.mp3"), "--cover", str(tmp_path / "none.jpg"))
    assert cover.code == 2 and "JPEG, PNG or WebP" in cover.err
