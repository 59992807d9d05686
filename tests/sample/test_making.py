"""What the making of the sample world computes without training anything."""

from __future__ import annotations

from random import Random

import pytest

pytest.importorskip("imageio_ffmpeg")

import numpy as np

from channelscribe.sample import world
from sample_making import programme, sound


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_delay_is_found_by_cross_correlation(seconds: float) -> None:
    original = np.random.default_rng(0).standard_normal(5 * sound.SAMPLE_RATE).astype(np.float32)
    late = np.concatenate([sound.silence(seconds), original])
    assert sound.delay(late, original) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".opus"])
def test_encoding_moves_nothing(suffix: str, tmp_path) -> None:
    rng = np.random.default_rng(0)
    original = np.concatenate([sound.silence(0.5), sound.music(3), sound.noise(1, rng)])
    sound.encode(original, tmp_path / f"clip{suffix}")
    decoded = sound.decode(tmp_path / f"clip{suffix}")
    assert abs(sound.delay(decoded, original)) < 0.002
    assert abs(len(decoded) - len(original)) < 0.07 * sound.SAMPLE_RATE


def test_a_failed_encoding_says_why(tmp_path) -> None:
    (tmp_path / "folder.mp3").mkdir()
    with pytest.raises(RuntimeError, match=r"could not write .*folder\.mp3"):
        sound.encode(sound.silence(1), tmp_path / "folder.mp3")


def test_the_programme_is_what_is_bundled() -> None:
    assert [plan.id for plan in programme.PLANS] == [episode.id for episode in world.episodes()]
    assert [plan.title for plan in programme.PLANS] == [episode.title for episode in world.episodes()]


def test_every_voice_is_one_that_the_models_know() -> None:
    sentences = pytest.importorskip("sample_making.sentences")
    voices = {part.speaker.voice for plan in programme.PLANS for part in plan.parts if isinstance(part, programme.Talk)}
    assert voices <= set(sentences.VOICES)


def test_spans_of_names_survive_other_names_and_lost_punctuation() -> None:
    pytest.importorskip("spacy")
    from sample_making import entities

    rng = Random(0)
    for _ in range(200):
        original = entities.document(rng)
        for sentence in (original, entities.with_made_up_names(original, rng), entities.without_punctuation(original)):
            assert len(sentence.entities) == len(original.entities)
            for (first, last, label), (_, _, expected) in zip(sentence.entities, original.entities, strict=True):
                name = sentence.text[first:last]
                assert label == expected
                assert name == name.strip(" .,?")
                assert f" {name} " in f" {entities.without_punctuation(sentence).text} "
