"""Which pipeline reads a language: folders and packages by version, and what is said where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import spacy

from channelscribe.errors import TextModelUnavailable
from channelscribe.settings import TextOptions
from channelscribe.text.models import load_pipeline, readers
from channelscribe.text.packages import fetch
from channelscribe.text.reading import read
from channelscribe.transcript import Segment, Transcript
from tests.text.pipelines import LEMMAS, TAGS, WORDS, full_pipeline, saved


def said(text: str, language: str = "en") -> Transcript:
    return Transcript(language, 5.0, [Segment(0.0, 5.0, text)])


def test_a_pipeline_of_a_folder_gives_lemmas_tags_and_its_own_sentences(tmp_path: Path) -> None:
    options = TextOptions(models={"en": saved(full_pipeline(), tmp_path / "full")})
    reading = read(said(" ".join(WORDS)), options)
    assert [(token.lemma, token.pos) for token in reading.tokens] == list(zip(LEMMAS, TAGS, strict=True))
    assert [token.is_stop for token in reading.tokens] == [True, False, True, False, False, False, True]
    assert [sentence.text for sentence in reading.sentences] == ["The trains were late", "Anna saw them"]
    assert reading.models["sentences"] == {"model": str(tmp_path / "full"), "trained": True}
    assert reading.models["pipeline"]["version"] == "1.0.0" and reading.models["note"] is None


def test_the_model_is_that_of_the_transcripts_language(tmp_path: Path) -> None:
    ruled = spacy.blank("de")
    ruled.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": "Bonn"}])  # type: ignore[attr-defined]
    options = TextOptions(models={"en": "sample", "de": saved(ruled, tmp_path / "de")})
    german, english = read(said("Wir sind in Bonn.", "de"), options), read(said("We are in Bonn.", "en"), options)
    assert [(e.text, e.label) for e in german.entities] == [("Bonn", "LOC")]
    assert english.models["pipeline"]["name"] == "sample"
    finnish = read(said("Olemme täällä.", "fi"), options)
    assert (finnish.entities, finnish.models["pipeline"]["name"]) == ([], "rules:fi")
    assert "no spaCy pipeline is set for the language 'fi'" in finnish.models["note"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("en_core_web_of_nowhere", "python -m spacy download en_core_web_of_nowhere"),
        ("en_core_web_of_nowhere==3.8.0", "python -m spacy download en_core_web_of_nowhere-3.8.0 --direct"),
    ],
)
def test_a_missing_model_names_the_command_that_installs_it(name: str, command: str) -> None:
    assert command in str(load_pipeline("en", TextOptions(models={"en": name})).note)


def test_another_version_is_not_the_one_asked_for(tmp_path: Path) -> None:
    folder = saved(spacy.blank("en"), tmp_path / "model", "2.1.0")
    assert load_pipeline("en", TextOptions(models={"en": f"{folder}==2.1.0"})).note is None
    other = load_pipeline("en", TextOptions(models={"en": f"{folder}==2.2.0"}))
    assert other.name == "rules:en" and "version 2.2.0" in str(other.note)


def test_a_folder_that_is_no_pipeline_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TextModelUnavailable, match="cannot be loaded"):
        load_pipeline("en", TextOptions(models={"en": str(tmp_path)}))


def test_what_does_not_come_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """spaCy's own download, behind a proxy that is not there: it ends at once and nothing leaves the machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert os.environ["HTTPS_PROXY"]
    with pytest.raises(TextModelUnavailable, match="could not be fetched") as caught:
        fetch("en_core_web_of_nowhere", None)
    assert "python -m spacy download en_core_web_of_nowhere" in caught.value.remedy


def test_another_version_of_a_model_is_another_reader(tmp_path: Path) -> None:
    options = TextOptions(models={"en": saved(spacy.blank("en"), tmp_path / "model", "1")})
    before = readers(options)
    saved(spacy.blank("en"), tmp_path / "model", "2")
    assert readers(options) != before
    missing = readers(TextOptions(models={"en": "en_core_web_of_nowhere"}))
    assert missing["en en_core_web_of_nowhere"] is None and missing["spacy"] == spacy.__version__
