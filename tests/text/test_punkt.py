"""Sentence segmentation from the bundled parameters, however the package was installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channelscribe.sample import world
from channelscribe.text import punkt


def test_sentences_by_character_offsets() -> None:
    text = "Put salt in the bowl. Then stir it! Why?"
    assert [text[start:end] for start, end in punkt.sentence_spans(text, "en")] == [
        "Put salt in the bowl.",
        "Then stir it!",
        "Why?",
    ]


def test_english_is_trained_and_a_language_without_parameters_still_segments() -> None:
    assert punkt.is_trained("en")
    assert not punkt.is_trained("xx")
    assert len(punkt.sentence_spans("Jedna. Dva.", "xx")) == 2


def test_a_long_text_is_segmented_in_stretches_as_if_it_were_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """NLTK stops after five seconds of one text; the cuts between stretches change nothing."""
    sentences = [s.text for episode in world.episodes() for s in episode.script.sentences]
    text = " ".join(["Dr. Bo is 3.5 m tall, e.g. here.", '"Is he?" she asked.', *sentences])
    whole = list(punkt.sentence_tokenizer("en").span_tokenize(text))
    for stretch in (100, 333, 1000):
        monkeypatch.setattr(punkt, "_STRETCH", stretch)
        monkeypatch.setattr(punkt, "_NEAR", 100)
        assert punkt.sentence_spans(text, "en") == whole
    assert punkt.sentence_spans("a" * 2000, "en") == [(0, 2000)], "no mark, no end"
    assert punkt.sentence_spans(". " * 2000, "en")[-1][1] == 3999


WORDS = "Dr. e.g. late. Late. 3.5 A. (b. it? «No!» ... x.y. Über. ok.) “Hm.” i.e. 7. co-op."


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*WORDS.split(), "\n"])))
def test_the_quick_answer_is_punkts_own(words: list[str]) -> None:
    text = " ".join(words)
    assert punkt.sentence_spans(text, "en") == list(punkt.sentence_tokenizer("en").span_tokenize(text))


def test_parameters_with_hard_links_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv installs packages as hard links, which NLTK's own reader takes for an attack."""
    source = world.models_dir() / "nltk_data"
    shutil.copytree(source, tmp_path / "nltk_data", copy_function=os.link)
    monkeypatch.setattr(world, "models_dir", lambda: tmp_path)
    tokenizer, trained = punkt._find("english")
    assert trained
    assert list(tokenizer.span_tokenize("One. Two.")) == [(0, 4), (5, 9)]
