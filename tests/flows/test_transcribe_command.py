"""`channelscribe transcribe` on local files: as its own process with the real models, and its arguments in this one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.audio.prepare import prepare
from channelscribe.audio.speech_track import read_speech
from channelscribe.errors import StoreConflict, UsageError
from channelscribe.evaluation.metrics import word_error_rate
from channelscribe.export import Layout
from channelscribe.sample import world
from channelscribe.settings import AudioOptions
from channelscribe.speech.outputs import already_made, refuse_foreign, write_outputs
from channelscribe.transcript import Segment, Transcript, Word
from flows.cli import main
from flows.commands.transcribe import speakers
from tests.conftest import run_command

HOSTILE = "-rf $(touch x) ünï\n%s .."


@pytest.mark.speech
@pytest.mark.slow
def test_one_bad_file_never_stops_the_rest(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    episode = world.episode("two-views-of-a-comet")
    made = prepare(episode.path, tmp_path, AudioOptions(steps=()), {}, name="whole")
    samples = read_speech(made.speech)
    talk, twin, odd = tmp_path / "talk.wav", tmp_path / "other" / "talk.flac", tmp_path / f"{HOSTILE}.wav"
    silent, bad = tmp_path / "silent.wav", tmp_path / "bad.mp3"
    twin.parent.mkdir()
    soundfile.write(talk, samples[: 9 * 16000], 16000)
    soundfile.write(twin, np.repeat(samples[9 * 16000 : 14 * 16000, None], 2, axis=1), 16000)
    soundfile.write(odd, samples[: 4 * 16000 : 2], 8000)
    soundfile.write(silent, np.zeros(16000), 16000)
    bad.write_text("#EXTM3U\n/etc/passwd\n")
    out.mkdir()
    (out / "silent.srt").write_text("mine")
    given = [str(path) for path in (bad, talk, tmp_path / "none.wav", twin, odd, silent)]
    options = ["--model", "sample", "--out", str(out), "--max-line-width", "20", "--max-line-count", "1"]
    done = run_command(data, "transcribe", *given, *options, "--json")
    assert done.code == 3, str(done)
    assert [failure["reason"] for failure in done.json["failures"]] == [
        "corrupt_media",
        "no_such_file",
        "store_conflict",
    ]
    files = {Path(file["file"]).name: file for file in done.json["files"]}
    assert list(files) == ["talk.wav", "talk.flac", odd.name]
    assert done.json["model_loads"] == {"recognizer": 1, "aligner": 1, "diarizer": 1}
    assert (out / "silent.srt").read_text() == "mine"
    assert not (data / "postgres").exists()

    first = files["talk.wav"]
    assert first["seconds"] == 9.0
    assert (first["language"], first["no_speech"], first["flags"]) == ("en", False, {})
    assert set(first["step_seconds"]) == {"prepare", "recognize", "align", "diarize"}
    assert first["real_time_factor"] == pytest.approx(9 / sum(first["step_seconds"].values()), rel=0.02)
    for step in ("reading the audio", "transcribing", "aligning words", "telling speakers apart", "done"):
        assert f"talk.wav: {step}" in done.err
    said = " ".join(word.text for word in episode.script.words if word.end < 9)
    text = " ".join(segment["text"] for segment in json.loads(Path(first["outputs"]["json"]).read_text())["segments"])
    assert word_error_rate(said, text).rate < 0.1
    for name in ("talk", "talk-2", odd.stem):
        assert {each for each in ("txt", "srt", "vtt", "tsv", "json") if (out / f"{name}.{each}").is_file()} == {
            "txt", "srt", "vtt", "tsv", "json",
        }  # fmt: skip
    lines = (out / "talk.srt").read_text().splitlines()
    assert all(len(line) <= 20 for line in lines if line and "-->" not in line and not line.startswith("["))

    # The same again does nothing, and loads nothing.
    stamps = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = run_command(data, "transcribe", str(talk), str(twin), *options, "--json")
    assert again.code == 0, str(again)
    assert [file["made"] for file in again.json["files"]] == [False, False]
    assert again.json["model_loads"] == {}
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == stamps


def transcript(text: str) -> Transcript:
    return Transcript("en", 2.0, [Segment(0.0, 2.0, text, words=[Word(text, 0.0, 2.0)])])


def test_only_files_of_ones_own_are_overwritten_or_removed(tmp_path: Path) -> None:
    def write(text: str, formats: list[str], key: str) -> None:
        write_outputs(transcript(text), tmp_path, "talk", formats, Layout(), key, {"words": 1})

    write("One", ["txt", "srt"], "1")
    assert already_made(tmp_path, "talk", "1") == {"words": 1}
    assert already_made(tmp_path, "talk", "2") is None
    write("Two", ["srt"], "2")
    assert not (tmp_path / "talk.txt").exists()
    assert "Two" in (tmp_path / "talk.srt").read_text()

    (tmp_path / "talk.srt").write_text("corrected by hand")
    assert already_made(tmp_path, "talk", "2") is None
    for formats in (["srt"], ["srt", "vtt"]):
        with pytest.raises(StoreConflict, match=r"talk\.srt"):
            write("Three", formats, "3")
    assert (tmp_path / "talk.srt").read_text() == "corrected by hand"
    assert not (tmp_path / "talk.vtt").exists()

    (tmp_path / "talk.vtt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreConflict):
        refuse_foreign(tmp_path, "talk", ["vtt"])
    (tmp_path / "other.transcribe.json").write_text(
        '{"segments": []}'
    )  # a transcript of a file called other.transcribe
    with pytest.raises(StoreConflict):
        refuse_foreign(tmp_path, "other", ["txt"])
    assert not list(tmp_path.glob("*.part"))


def test_a_manifest_that_names_files_elsewhere_is_not_believed(tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    from channelscribe.files import sha256_file

    files = {"../victim.txt": sha256_file(victim)}
    (folder / "talk.transcribe.json").write_text(json.dumps({"made_from": "1", "files": files, "about": {}}))
    assert already_made(folder, "talk", "1") is None
    with pytest.raises(StoreConflict):
        write_outputs(transcript("One"), folder, "talk", ["srt"], Layout(), "2", {})
    assert victim.read_text() == "mine"


def test_numbers_of_speakers() -> None:
    assert (speakers(None), speakers("3"), speakers("2-4")) == ((None, None), (3, 3), (2, 4))
    for wrong in ("0", "4-2", "2-", "two", "-1", "51"):
        with pytest.raises(UsageError):
            speakers(wrong)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--formats", "txt,doc"], "'doc'"),
        (["--formats", ","], "no transcript format"),
        (["--speakers", "many"], "'many'"),
        (["--model", "nonsense"], "no speech model 'nonsense'"),
        (["--language", "English!"], "speech.language"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_read(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", "none.wav", *options]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""


def test_when_nothing_can_be_done_it_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.mp3").write_bytes(b"")
    assert main(["transcribe", str(tmp_path / "empty.mp3"), "--model", "sample", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["failures"][0]["reason"] == "empty_media"


def test_what_the_machine_lacks_ends_it_before_the_next_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"{name}.wav" for name in "abc"]
    for number, path in enumerate(files, 1):
        soundfile.write(path, np.zeros(1600 * number), 16000)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ffmpeg"
    program.write_text("#!/bin/sh\nexit 127\n")
    program.chmod(0o755)
    monkeypatch.setattr("channelscribe.audio.ffmpeg.ffmpeg_path", lambda: str(program))
    assert main(["transcribe", *map(str, files), "--model", "sample", "--out", str(tmp_path), "--json"]) == 1
    said = capsys.readouterr()
    assert len(json.loads(said.out)["failures"]) == 1
    assert "2 more were not started; the next run does them." in said.err
