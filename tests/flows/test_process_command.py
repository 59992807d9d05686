"""`channelscribe process` on a folder of transcripts, as its own process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channelscribe.export import VideoMeta, render
from channelscribe.sample import world
from channelscribe.text.records import Reading
from channelscribe.transcript import Segment, Transcript
from flows.cli import main
from tests.conftest import run_command

ON_SAMPLE = ("--set", "text.models={en: sample}")
SCRIPT = world.episodes()[0].script
NAMED = next(entity for entity in SCRIPT.entities if entity.label == "GPE")
SENTENCE = SCRIPT.sentences[NAMED.sentence].text
NAMES = sum(1 for entity in SCRIPT.entities if entity.sentence == NAMED.sentence)


def folder_of(root: Path) -> Path:
    """One episode in all formats, whisperX's own JSON, a German subtitle, a text, and what is broken."""
    folder = root / "transcripts"
    folder.mkdir()
    talk = Transcript("en", 99.0, [Segment(s.start, s.end, s.text, "SPEAKER_00") for s in SCRIPT.sentences])
    for name in ("txt", "srt", "vtt", "tsv", "json"):
        text = render(talk, name, VideoMeta("A talk", "https://example.org"))
        (folder / f"talk.{name}").write_text(text, encoding="utf-8")
    segments = [{"start": 0.0, "end": 2.0, "text": f" {SENTENCE}", "words": [{"word": SENTENCE.split()[0]}]}]
    (folder / "theirs.json").write_text(json.dumps({"segments": segments, "language": "en"}))
    (folder / "gespräch.de.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nGuten Tag. Wie geht es?\n")
    (folder / "notes.txt").write_text("It is late.\nWe go home.\n")
    (folder / "broken.json").write_text('{"segments": ')
    (folder / "binary.srt").write_bytes(b"\xff\x00\xfe")
    return folder


@pytest.mark.slow
def test_a_folder_is_read_and_broken_files_are_skipped(tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path), tmp_path / "out"
    done = run_command(
        tmp_path / "data", "process", "--directory", str(folder), "--out", str(out), "--json", *ON_SAMPLE
    )
    assert done.code == 3, str(done)
    files = {file["file"]: file for file in done.json["files"]}
    assert list(files) == ["gespräch.de.srt", "notes.txt", "talk.json", "theirs.json"]
    assert {failure["file"] for failure in done.json["failures"]} == {
        str(folder / "broken.json"), str(folder / "binary.srt"),
    }  # fmt: skip
    assert done.err.count("[text_error]") == 2
    talk, german = files["talk.json"], files["gespräch.de.srt"]
    assert talk["sentences"] == len(SCRIPT.sentences) and talk["entities"] > 5
    assert (german["language"], german["sentences"], german["entities"]) == ("de", 2, 0)
    assert "no spaCy pipeline is set for the language 'de'" in german["note"]
    assert (files["theirs.json"]["entities"], files["notes.txt"]["sentences"]) == (NAMES, 2)

    assert {path.name for path in out.iterdir()} == {Path(file["written"]).name for file in files.values()}
    written = json.loads((out / "talk.json").read_text(encoding="utf-8"))
    reading = Reading.from_dict(written)
    assert all(written["text"][e.start_char : e.end_char] == e.text for e in reading.entities)
    assert {sentence.speaker for sentence in reading.sentences} == {"SPEAKER_00"}
    assert not (tmp_path / "data").exists()


def test_a_table_for_people_and_nothing_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def process(folder: Path, *options: str) -> tuple[int, str, str]:
        code = main(["process", "--directory", str(folder), *ON_SAMPLE, *options])
        return code, *capsys.readouterr()

    (tmp_path / "a.txt").write_text(SENTENCE)
    code, out, _ = process(tmp_path, "--out", str(tmp_path / "o"))
    head, first = out.splitlines()
    assert (code, head.split()) == (0, ["file", "language", "sentences", "tokens", "entities"])
    assert first.split()[:3] == ["a.txt", "en", "1"] and first.split()[4] == str(NAMES)
    (tmp_path / "empty").mkdir()
    for folder, says in ((tmp_path / "none", "not a folder"), (tmp_path / "empty", "no transcript")):
        code, _, err = process(folder)
        assert code == 2 and says in err
    code, _, err = process(tmp_path, "--out", str(tmp_path))
    assert code == 2 and "overwrite" in err and (tmp_path / "a.txt").read_text() == SENTENCE
    (tmp_path / "a.txt").write_bytes(b"\x00")
    code, out, _ = process(tmp_path, "--out", str(tmp_path / "p"), "--json")
    assert code == 1 and len(json.loads(out)["failures"]) == 1
