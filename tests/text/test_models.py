"""Which pipeline reads a language: folders and packages by version, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import spacy

from channelscribe.errors import TextModelUnavailable
from channelscribe.settings import TextOptions
from channelscribe.text.models import load_pipeline, readers
from channelscribe.text.packages import fetch, is_transformer
from channelscribe.text.reading import read
from channelscribe.transcript import Segment, Transcript
from tests.text.pipelines import LEMMAS, TAGS, WORDS, full_pipeline, saved


def said(text: str, language: str = "en") -> Transcript:
    return Transcript(language, 5.0, [Segment(0.0, 5.0, text)])


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.long
def test_pytorch_is_loaded_for_pipelines_of_transformers_alone(tmp_path: Path) -> None:
    """In processes of their own: here other tests have loaded both."""
    script = """
import sys
from channelscribe.settings.options import TextOptions
from channelscribe.text.models import load_pipeline
other = {"de": sys.argv[1]} if len(sys.argv) > 1 else {}
nlp = load_pipeline("en", TextOptions(models={"en": "sample", **other})).nlp
before = "torch" in sys.modules
import torch
print(before, torch.tensor(2).item(), len(nlp("Ada lives in London.").ents) > 0)
"""
    (tmp_path / "config.cfg").write_text('[components.transformer]\nfactory = "transformer"\n')
    for arguments, loaded in ([], "False"), ([str(tmp_path)], "True"):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [loaded, "2", "True"]


@pytest.mark.parametrize(("package", "expected"), [("thinc", False), ("whisperx", True), ("no-such-package", False)])
def test_what_a_package_says_of_transformers(package: str, expected: bool) -> None:
    assert is_transformer(package) is expected
