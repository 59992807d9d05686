"""Truths are read from the field's formats, and what is not known is not measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from channelscribe.errors import UsageError
from channelscribe.evaluation.errors_page import page
from channelscribe.evaluation.recordings import Heard, figures, normalized, recordings, together
from channelscribe.transcript import Turn, Word

STM = """;; comment
talk 1 ann 0.5 1.5 <o,f0,female> Hello there.
talk 1 excluded 1.6 1.8 ignore_time_segment_in_scoring
talk 1 bob 2.0 3.0 Oh, hi!
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("talk.flac", "set/read.WAV", "set/mute.mp3", "notes.pdf"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "talk.stm").write_text(STM)
    (tmp_path / "set/read.txt").write_text("red green blue\n")
    (tmp_path / "set/mute.txt").write_text("")
    return tmp_path


def _heard(*words: tuple[str, float, float], turns: list[Turn] | None = None) -> Heard:
    said = [Word(*word) for word in words]
    text, cues = " ".join(word[0] for word in words), [(word[1], word[2]) for word in words]
    return Heard(text, said, turns, cues, "en", 4.0, cpu_seconds=2.0, wall_seconds=1.0)


def test_what_lies_beside_a_recording_is_its_truth(folder: Path) -> None:
    mute, read, talk = recordings(folder)
    assert (talk.name, talk.group, read.name, read.group) == ("talk", ".", "set/read", "set")
    assert talk.truth.words == ["Hello", "there.", "Oh,", "hi!"]
    assert talk.truth.starts == [(0, 0.5), (2, 2.0)]
    assert talk.truth.turns == [Turn(0.5, 1.5, "ann"), Turn(2.0, 3.0, "bob")]
    assert read.truth.words == ["red", "green", "blue"]
    assert read.truth.turns is None
    assert mute.truth.words == []


def test_a_ctm_tells_each_word_and_an_rttm_the_turns(folder: Path) -> None:
    (folder / "talk.ctm").write_text("talk 1 2.1 0.2 hi\ntalk 1 0.6 0.4 hello\n")
    (folder / "talk.rttm").write_text("SPEAKER talk 1 0.5 1.0 <NA> <NA> cy <NA> <NA>\n")
    truth = recordings(folder)[-1].truth
    assert (truth.words, truth.starts) == (["hello", "hi"], [(0, 0.6), (1, 2.1)])
    assert truth.turns == [Turn(0.5, 1.5, "cy")]


def test_a_truth_that_cannot_be_read_and_a_folder_without_recordings_are_told(folder: Path, tmp_path: Path) -> None:
    (folder / "talk.rttm").write_text("SPEAKER talk 1 soon\n")
    with pytest.raises(UsageError, match=r"talk\.rttm cannot be read as rttm"):
        recordings(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no recording"):
        recordings(tmp_path / "empty")


def test_figures_count_what_is_wrong(folder: Path) -> None:
    mute, read, talk = recordings(folder)
    turns = [Turn(0.5, 1.5, "A"), Turn(2.0, 3.0, "A")]
    found = figures(
        talk, _heard(("hello", 0.6, 0.9), ("their", 1.0, 1.5), ("hi", 2.1, 2.5), ("you", 3.5, 4.0), turns=turns)
    )
    assert found["wer"] == pytest.approx(3 / 4)  # "there" otherwise, "oh" missing, "you" invented
    assert found["word_start_median"] == pytest.approx(0.1)
    assert found["der"] == pytest.approx(0.5)
    assert found["invented_seconds"] == pytest.approx(0.5)
    assert found["coverage"] == pytest.approx(1.0)
    assert (found["cpu_factor"], found["wall_factor"]) == (2.0, 4.0)
    unknown = figures(read, _heard(("red", 0, 1), ("green", 1, 2), ("blew", 2, 3)))
    assert unknown["wer"] == pytest.approx(1 / 3)
    assert [unknown[name] for name in ("word_start_median", "der", "coverage", "invented_seconds")] == [None] * 4
    assert figures(mute, _heard(("Thanks", 0, 1)))["invented_seconds"] == 1.0
    both = together([found, unknown])
    assert both["der"] == pytest.approx(0.5)
    assert both["wall_factor"] == 4.0


def test_who_says_each_word_is_compared_where_an_stm_tells_it(folder: Path) -> None:
    talk = recordings(folder)[-1]
    turns = [Turn(0.5, 1.5, "A"), Turn(2.0, 3.0, "B")]
    heard = _heard(("hello", 0.6, 0.9), ("their", 1.0, 1.5), ("oh", 2.0, 2.1), ("hi", 2.1, 2.5), turns=turns)
    for word, speaker in zip(heard.words or [], "AABA", strict=True):
        word.speaker = speaker
    assert figures(talk, heard)["right_speaker"] == pytest.approx(3 / 4)
    heard.turns = None
    assert figures(talk, heard)["right_speaker"] is None


def test_words_are_compared_as_whispers_normalizer_leaves_them() -> None:
    assert normalized("Mr. Smith's twenty-one dogs, uh, won't!", "en") == normalized(
        "mister smith is 21 dogs will not", "en"
    )
    assert normalized("Größe, ja?", "de") == "größe ja"
    assert normalized("你好。", "zh") == "你 好"


def test_the_page_shows_each_error_and_nothing_of_what_strangers_wrote_as_markup(folder: Path) -> None:
    talk = recordings(folder)[-1]
    made = page(["a"], [["<b>"]], [(talk, {"ours": _heard(("hello", 0, 1), ("<script>", 1, 2))})])
    assert "<script>" not in made
    assert "<b>" not in made
    assert "<del>" in made
    assert "http" not in made.replace("http-equiv", "")
