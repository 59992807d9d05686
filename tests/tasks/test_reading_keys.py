"""When a reading is made again: another transcript, other options, another version of what reads."""

from __future__ import annotations

from pathlib import Path

import spacy

from channelscribe.files import content_key
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import to_travel
from tasks.read import reading_parts
from tests.text.pipelines import saved


def key(identity: str, **text: object) -> str:
    run = {f"text.{name}": value for name, value in text.items()}
    return content_key(*reading_parts(identity, to_travel(SettingsRegistry(environ={}, run=run).resolve())))


def test_a_new_text_model_makes_a_new_reading(tmp_path: Path) -> None:
    models = {"en": saved(spacy.blank("en"), tmp_path / "model", "1.0.0")}
    first = key("t1", models=models)
    assert key("t1", models=models) == first
    assert key("t2", models=models) != first
    assert key("t1", models=models, key_phrases=5) != first
    saved(spacy.blank("en"), tmp_path / "model", "1.0.1")
    assert key("t1", models=models) != first, "the same name, another version"


def test_a_model_that_is_installed_later_makes_a_new_reading(tmp_path: Path) -> None:
    models = {"en": str(tmp_path / "model")}
    missing = key("t1", models=models)
    saved(spacy.blank("en"), tmp_path / "model")
    assert key("t1", models=models) != missing
