"""The bundled data is whole and says of itself what is true."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from channelscribe.sample import world
from channelscribe.sample.script import Script

EPISODES = world.episodes()
RECORDINGS = [*EPISODES, *world.held_out()]
LABELS = {"PERSON", "GPE", "ORG", "DATE"}


def named(recordings):
    return [pytest.param(recording, id=recording.id) for recording in recordings]


def test_the_channel_has_the_variety_that_tests_rely_on() -> None:
    assert len(EPISODES) == 8
    speakers = [len(episode.script.speakers) for episode in EPISODES]
    assert speakers.count(0) == 1
    assert speakers.count(1) >= 3
    assert speakers.count(2) >= 2
    assert 7 * 60 <= sum(episode.duration for episode in EPISODES) <= 9 * 60
    assert {episode.path.suffix for episode in EPISODES} >= {".mp3", ".m4a", ".opus"}
    assert [episode.published for episode in EPISODES] == sorted(episode.published for episode in EPISODES)
    assert any(
        {"/", '"', "..", "🍲"} <= {part for part in ("/", '"', "..", "🍲") if part in episode.title}
        for episode in EPISODES
    )


def test_a_long_silence_and_music_lie_between_words_of_one_episode() -> None:
    words = world.episode("music-between-the-stars").script.words
    assert words[0].start > 9
    pauses = [after.start - before.end for before, after in itertools.pairwise(words)]
    assert sum(pause > 10 for pause in pauses) == 3


@pytest.mark.parametrize("episode", named(EPISODES))
def test_an_episode_is_of_modest_length_and_has_a_safe_file_name(episode: world.Episode) -> None:
    assert 30 <= episode.duration <= 150
    assert re.fullmatch(r"[a-z0-9-]+", episode.id)
    assert re.fullmatch(r"[a-z0-9-]+\.(mp3|m4a|opus)", episode.media)
    assert episode.path.is_file()
    assert episode.published.tzinfo is not None


@pytest.mark.parametrize("recording", named(RECORDINGS))
def test_words_are_in_order_inside_the_recording_and_inside_their_turn(recording: world.Episode) -> None:
    script = recording.script
    ends = 0.0
    for word in script.words:
        assert ends <= word.start < word.end <= recording.duration
        ends = word.end
        assert any(
            turn.speaker == word.speaker and turn.start <= word.start and word.end <= turn.end for turn in script.turns
        )
    assert " ".join(word.text for word in script.words) == script.text


@pytest.mark.parametrize("recording", named(RECORDINGS))
def test_entities_are_where_the_script_says(recording: world.Episode) -> None:
    script = recording.script
    for entity in script.entities:
        sentence = script.sentences[entity.sentence]
        assert sentence.text[entity.start_char : entity.end_char] == entity.text
        assert entity.label in LABELS
        assert sentence.start <= entity.start < entity.end <= sentence.end
        spoken = [word.text for word in script.words if entity.start <= word.start and word.end <= entity.end]
        assert entity.text in " ".join(spoken)
    assert bool(script.entities) == bool(script.words)


@pytest.mark.parametrize("recording", named(RECORDINGS))
def test_nothing_that_is_said_was_trained_on(recording: world.Episode) -> None:
    sentences = pytest.importorskip("sample_making.sentences")
    assert all(sentences.is_held_out(sentence.text) for sentence in recording.script.sentences)


def test_two_speakers_never_talk_at_once() -> None:
    for episode in EPISODES:
        turns = episode.script.turns
        assert all(before.end < after.start for before, after in itertools.pairwise(turns))


def test_held_out_recordings_hold_about_forty_sentences_in_many_voices() -> None:
    scripts = [recording.script for recording in world.held_out()]
    assert sum(len(script.sentences) for script in scripts) == 40
    assert len({turn.voice for script in scripts for turn in script.turns}) >= 20


def test_a_script_survives_its_file(tmp_path: Path) -> None:
    script = world.episode("station-cafe").script
    script.write(tmp_path / "copy.json")
    assert Script.read(tmp_path / "copy.json") == script
    assert set(json.loads((tmp_path / "copy.json").read_text())) == {"words", "turns", "sentences", "entities"}


def test_the_data_is_small_enough_for_a_wheel() -> None:
    assert sum(file.stat().st_size for file in world.data_dir().rglob("*") if file.is_file()) <= 25 * 2**20


def test_the_models_are_those_that_were_shipped() -> None:
    world.verify()


@pytest.mark.parametrize("harm", ["change", "remove", "add"])
def test_a_harmed_model_is_noticed_by_name(harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ner").mkdir()
    model = tmp_path / "ner" / "model"
    model.write_bytes(b"weights")
    (tmp_path / world.CHECKSUMS).write_text(f"{world.sha256(model)}  ner/model\n")
    monkeypatch.setattr(world, "models_dir", lambda: tmp_path)
    world.verify()
    if harm == "change":
        model.write_bytes(b"others")
    elif harm == "remove":
        model.unlink()
    else:
        (tmp_path / "ner" / "stranger").write_bytes(b"pickle")
    with pytest.raises(world.SampleDamagedError, match="ner/stranger" if harm == "add" else "ner/model"):
        world.verify()


def test_the_diarizer_folder_names_only_files_that_exist(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    import yaml

    folder = world.diarizer_folder(tmp_path / "diarizer")
    parameters = yaml.safe_load((folder / "config.yaml").read_text())["pipeline"]["params"]
    assert Path(parameters["segmentation"]).is_file()
    assert (Path(parameters["embedding"]["checkpoint"]) / "pytorch_model.bin").is_file()
    assert (Path(parameters["plda"]["checkpoint"]) / "plda.npz").is_file()
    assert [file.name for file in folder.iterdir()] == ["config.yaml"]
