"""Sentence segmentation from the bundled parameters, however the package was installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

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


def test_parameters_with_hard_links_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv installs packages as hard links, which NLTK's own reader takes for an attack."""
    source = world.models_dir() / "nltk_data"
    shutil.copytree(source, tmp_path / "nltk_data", copy_function=os.link)
    monkeypatch.setattr(world, "models_dir", lambda: tmp_path)
    tokenizer, trained = punkt._find("english")
    assert trained
    assert list(tokenizer.span_tokenize("One. Two.")) == [(0, 4), (5, 9)]
