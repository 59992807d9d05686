"""correct and corrections, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channelscribe.catalogue import transcripts
from channelscribe.catalogue.connection import Database
from channelscribe.export.readable import LEFT_OUT
from channelscribe.transcript import Transcript
from tests.catalogue.records import Video, published, spoken
from tests.databases import NewDatabase
from tests.flows.test_reading_commands import Answer, answer

__all__ = ["NewDatabase", "answer"]

TALK = ("Today we open Confu I, and", "the nodes of confu i are many.", "Nobody knows why. Pip does.")


@pytest.fixture
def library(catalogue: Database) -> Database:
    published(catalogue, spoken(*TALK), Video("v", "A talk"))
    published(catalogue, spoken("Confu I again"), Video("w", "Another"))
    return catalogue


def texts(catalogue: Database, video: str = "v") -> list[str]:
    return [each.text for each in catalogue.run(transcripts.transcript_of, video)[2].segments]


def test_correct_list_diff_undo(library: Database, answer: Answer) -> None:
    code, out, err = answer("correct", "v", "0:01.5", "confu i", "ComfyUI")
    assert (code, out) == (0, "A talk  0:01  -Confu I,  +ComfyUI,\n  Today we open Confu I, and\n")
    assert err.startswith("1 corrected; `channelscribe corrections undo ")
    number = err.split("undo ")[1].split("`")[0]
    assert answer("show", "v")[1].count("ComfyUI") == 1
    code, out, _ = answer("diff", "v")
    assert "-Confu I,  +ComfyUI," in out and "version 1 as recognized and corrected: 1 changes" in out
    code, out, _ = answer("corrections")
    assert code == 0 and all(word in out for word in (number, "-Confu I,  +ComfyUI,", "applied"))
    assert answer("corrections", "undo", number) == (0, "1 undone.\n", "")
    assert texts(library) == list(TALK)
    assert json.loads(answer("corrections", "--json")[1]) == {"corrections": []}
    (undone,) = json.loads(answer("corrections", "--undone", "--json")[1])["corrections"]
    assert undone["seen"] == "Confu I," and undone["undone_by"] == undone["made_by"]


def test_everywhere_shows_first(library: Database, answer: Answer) -> None:
    asked = ("correct", "v", "1", "confu i", "ComfyUI", "--everywhere")
    code, out, err = answer(*asked)
    assert (code, out.count("+ComfyUI")) == (0, 3) and err.startswith("3 places; nothing is changed yet.")
    assert texts(library) == list(TALK)
    code, out, _ = answer(*asked, "--yes", "--json")
    assert code == 0 and {each["standing"] for each in json.loads(out)["corrections"]} == {"applied"}
    assert texts(library, "w") == ["ComfyUI again"]
    assert answer(*asked)[1] == "Nothing to correct: it is not said, or is right already.\n"


def test_a_speaker(library: Database, answer: Answer) -> None:
    code, out, _ = answer("correct", "v", "0:04-0:06", "--speaker", "Pip")
    assert (code, out) == (0, "A talk  0:04  0:04 to 0:06 is Pip\n")
    assert "Pip: Nobody knows why." in answer("show", "v")[1]


@pytest.mark.parametrize("ending", ["srt", "vtt", "txt"])
def test_an_edited_file_comes_back(library: Database, answer: Answer, tmp_path: Path, ending: str) -> None:
    answer("show", "v", "--format", ending, "--out", str(tmp_path))
    (file,) = tmp_path.glob(f"*.{ending}")
    assert (
        answer("correct", "v", "--import", str(file))[1] == "Nothing to correct: it is not said, or is right already.\n"
    )
    edited = file.read_text("utf-8")
    for old, new in (("Confu I", "ComfyUI"), ("Nobody", "Well, nobody"), (" does.", ".")):
        assert old in edited
        edited = edited.replace(old, new)
    file.write_text(edited, "utf-8")
    before = library.run(transcripts.transcript_of, "v")[2]
    code, out, _ = answer("correct", "v", "--import", str(file), "--json")
    assert (code, len(json.loads(out)["corrections"])) == (0, 3)
    assert texts(library) == ["Today we open ComfyUI, and", TALK[1], "Well, nobody knows why. Pip."]
    after = library.run(transcripts.transcript_of, "v")[2]
    kept = {(word.text, word.start, word.end) for word in before.words}
    assert {word.text for word in after.words if (word.text, word.start, word.end) not in kept} == {
        "ComfyUI,", "Well,", "nobody", "Pip.",
    }  # fmt: skip


def test_what_a_file_leaves_out_as_invented_stays(catalogue: Database, answer: Answer, tmp_path: Path) -> None:
    said: Transcript = spoken(*TALK)
    said.segments[1].flags = [min(LEFT_OUT)]
    published(catalogue, said, Video("v"))
    answer("show", "v", "--format", "srt", "--out", str(tmp_path))
    (file,) = tmp_path.glob("*.srt")
    assert "nodes" not in file.read_text("utf-8")
    answer("correct", "v", "--import", str(file))
    assert texts(catalogue) == list(TALK)


def test_another_text_is_no_copy(library: Database, answer: Answer, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("Something else that has been written by somebody else.", "utf-8")
    code, _, err = answer("correct", "v", "--import", str(tmp_path / "other.txt"))
    assert code == 2 and "little in common with the transcript of v" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["v", "1:00"], "takes VIDEO TIME OLD NEW"),
        (["v", "soon", "confu i", "ComfyUI"], "'soon' is no time"),
        (["v", "1:00", "confu i", "ComfyUI"], "'confu i' is not said within 10 s of 60 s"),
        (["v", "1:00", "--speaker", "Pip"], "a span FROM-TO"),
        (["v", "6-4", "--speaker", "Pip"], "ends before it begins"),
        (["v", "1", "a", "b", "--source"], "--source goes with --everywhere"),
        (["v", "--import", "talk.pdf"], "talk.pdf is no transcript"),
        (["v", "--import", "talk.srt"], "talk.srt cannot be read"),
        (["unknown", "1", "a", "b"], "no transcript of 'unknown'"),
    ],
)
def test_what_makes_no_sense_is_told(library: Database, answer: Answer, arguments: list[str], says: str) -> None:
    code, out, err = answer("correct", *arguments)
    assert (code > 0, out) == (True, "") and says in err
