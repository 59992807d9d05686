"""Sentences, tokens and names are found with what is there, and point at the right characters."""

from __future__ import annotations

import pytest
from spacy.lang.en import English

from channelscribe.settings import TextOptions
from channelscribe.text import reading as reading_module
from channelscribe.text.models import Pipeline, load_pipeline
from channelscribe.text.reading import entity_key, read
from channelscribe.text.records import Reading
from channelscribe.transcript import Segment, Transcript, Word

LINES = ["Good morning from the", "night train. Anna's ticket is", "to Lisbon. Is it late?"]
NO_MODELS = TextOptions(models={})


@pytest.fixture
def transcript() -> Transcript:
    segments, clock = [], 0.0
    for line in LINES:
        words = [Word(text, clock + i, clock + i + 0.9, 1.0, "SPEAKER_00") for i, text in enumerate(line.split())]
        segments.append(Segment(clock, clock + len(words), line, "SPEAKER_00", words=words))
        clock += len(words)
    return Transcript("en", clock, segments)


@pytest.fixture
def gazetteer(monkeypatch: pytest.MonkeyPatch) -> None:
    nlp = English()
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "GPE", "pattern": "Lisbon"}, {"label": "PERSON", "pattern": "Anna's"}])  # type: ignore[attr-defined]
    monkeypatch.setattr(reading_module, "load_pipeline", lambda *_: Pipeline(nlp, "gazetteer", "1"))


def test_sentences_cross_segments(transcript: Transcript) -> None:
    reading = read(transcript, NO_MODELS)
    assert [sentence.text for sentence in reading.sentences] == [
        "Good morning from the night train.",
        "Anna's ticket is to Lisbon.",
        "Is it late?",
    ]
    first = reading.sentences[0]
    assert (first.start, first.end, first.speaker) == (0.0, 5.9, "SPEAKER_00")
    for sentence in reading.sentences:
        assert transcript.text[sentence.start_char : sentence.end_char] == sentence.text
    for token in reading.tokens:
        assert transcript.text[token.start_char : token.end_char] == token.text


def test_without_a_pipeline_there_are_rules_and_a_note(transcript: Transcript) -> None:
    for options in (NO_MODELS, TextOptions(models={"en": "en_core_web_of_nowhere"})):
        reading = read(transcript, options)
        assert reading.entities == []
        assert [token.text for token in reading.tokens][:3] == ["Good", "morning", "from"]
        assert reading.tokens[2].is_stop
        assert reading.tokens[0].lemma is None
        assert reading.models["pipeline"]["name"] == "rules:en"
        assert "spaCy pipeline" in reading.models["note"]


def test_a_language_without_rules_is_read_too() -> None:
    transcript = Transcript("xq", 2, [Segment(0, 2, "Ba be. Bi bo.")])
    reading = read(transcript, NO_MODELS)
    assert len(reading.sentences) == 2
    assert reading.models["sentences"]["trained"] is False
    assert reading.models["pipeline"]["name"] == "rules:xx"


def test_entities_have_spans_times_and_keys(transcript: Transcript, gazetteer: None) -> None:
    anna, lisbon = read(transcript, NO_MODELS).entities
    assert (anna.label, anna.key, anna.start) == ("PERSON", "anna", 6.0)
    assert (lisbon.label, lisbon.key, lisbon.start, lisbon.end) == ("GPE", "lisbon", 10.0, 10.9)
    assert transcript.text[lisbon.start_char : lisbon.end_char] == "Lisbon"


def test_what_is_not_asked_for_is_left_out(transcript: Transcript, gazetteer: None) -> None:
    reading = read(transcript, TextOptions(steps=("sentences",)))
    assert (reading.entities, list(reading.tokens)) == ([], [])
    assert len(reading.sentences) == 3


def test_nothing_said_is_read_as_nothing() -> None:
    reading = read(Transcript("und", 3.0, no_speech=True), NO_MODELS)
    assert (reading.sentences, list(reading.tokens), reading.entities) == ([], [], [])


def test_a_reading_travels_as_json(transcript: Transcript, gazetteer: None) -> None:
    reading = read(transcript, NO_MODELS)
    assert Reading.from_dict(reading.to_dict()) == reading


def test_pipelines_load_once() -> None:
    assert load_pipeline("de", NO_MODELS) is load_pipeline("de", NO_MODELS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "key"),
    [("Anna's", "anna"), ("the  Orion Institute.", "orion institute"), ("James’", "james"), ("ÉMILE", "émile")],
)
def test_entity_key(text: str, key: str) -> None:
    assert entity_key(text) == key
