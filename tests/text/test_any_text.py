"""Readings of any text: spans slice back to the exact characters, and splitting the work changes nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channelscribe.sample import world
from channelscribe.settings import TextOptions
from channelscribe.text import pieces
from channelscribe.text.reading import read, read_all
from channelscribe.text.records import Reading
from channelscribe.transcript import Segment, Transcript, Word
from tests.text.pipelines import full_pipeline, saved

SAMPLE = TextOptions(models={"en": "sample"}, topics_from_words=30)
MEGABYTE = 1 << 20


def transcript_of(lines: list[str], language: str = "en") -> Transcript:
    """Each word takes a second; each line is a segment, spoken by S0 and S1 in turn."""
    segments: list[Segment] = []
    clock = 0.0
    for number, line in enumerate(lines):
        speaker = f"S{number % 2}"
        words = [Word(text, clock + n, clock + n + 0.9, 1.0, speaker) for n, text in enumerate(line.split())]
        segments.append(Segment(clock, clock + len(words), line, speaker, words=words))
        clock += len(words)
    return Transcript(language, clock, segments)


def check(transcript: Transcript, reading: Reading) -> None:
    text = transcript.text
    for part in (reading.sentences, reading.tokens, reading.entities, reading.key_phrases):
        for record in part:
            assert text[record.start_char : record.end_char] == record.text
    starts = [topic.start_char for topic in reading.topics]
    assert starts == sorted(starts)
    for record in (*reading.sentences, *reading.tokens, *reading.entities, *reading.topics, *reading.key_phrases):
        assert 0 <= record.start_char < record.end_char <= len(text)
        assert 0 <= record.start <= record.end <= transcript.duration
        assert record.speaker in {None, "S0", "S1"}


lines = st.lists(
    st.text(st.sampled_from("aBc .?!。؟'\"\n\t…é🎉👋🏽 中ж٣"), max_size=60) | st.text(max_size=40), max_size=6
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(lines, st.sampled_from(["en", "zh", "ja", "ru", "ar", "hi", "th", "xx"]))
def test_spans_slice_back_and_readings_travel(said: list[str], language: str) -> None:
    transcript = transcript_of(said, language)
    reading = read(transcript, SAMPLE)
    check(transcript, reading)
    assert Reading.from_dict(json.loads(json.dumps(reading.to_dict()))) == reading


@pytest.fixture(scope="module")
def talks() -> list[Transcript]:
    return [transcript_of([s.text for s in each.script.sentences]) for each in (*world.episodes(), *world.held_out())]


def test_how_the_work_is_split_changes_nothing(talks: list[Transcript]) -> None:
    alone = [read(talk, SAMPLE) for talk in talks]
    assert sum(len(reading.entities) for reading in alone) > 50
    for batch in (1, 3, 500):
        assert list(read_all(talks, SAMPLE, batch)) == alone
    assert list(read_all(reversed(talks), SAMPLE)) == alone[::-1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda talk: read(talk, SAMPLE), talks)) == alone


@pytest.mark.slow
def test_a_trained_segmenter_is_split_in_the_same_way(tmp_path: object) -> None:
    options = TextOptions(models={"en": saved(full_pipeline(), tmp_path / "full")})  # type: ignore[operator]
    talks = [transcript_of(["The trains were late Anna saw them."] * count) for count in (1, 40, 0, 90)]
    alone = [read(talk, options) for talk in talks]
    for talk, reading in zip(talks, alone, strict=True):
        check(talk, reading)
    assert [list(read_all(talks, options, batch)) == alone for batch in (1, 7)] == [True, True]
    assert len(alone[1].sentences) >= 40


def test_languages_may_come_in_any_order() -> None:
    talks = [transcript_of(["Olen. Olet."], "fi"), transcript_of(["I am. You are."]), transcript_of(["On."], "fi")]
    assert [r.language for r in read_all(talks, SAMPLE)] == ["fi", "en", "fi"]


@pytest.mark.parametrize("text", ["", " ", "\n", "🎉", "...", "।"])
def test_next_to_nothing(text: str) -> None:
    reading = read(transcript_of([text]), SAMPLE)
    assert (reading.entities, reading.topics) == ([], [])
    assert len(reading.sentences) == bool(text.strip())


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["a" * MEGABYTE, "今天很冷" * (MEGABYTE // 12), "word " * (MEGABYTE // 5), "." * (MEGABYTE // 50)]
)
def test_a_line_of_a_megabyte_goes_in_pieces(line: str) -> None:
    options = TextOptions(models={"en": "sample"}, steps=("sentences", "tokens", "topics", "key_phrases"))
    transcript = Transcript("en", 9.0, [Segment(0.0, 9.0, line)])
    reading = read(transcript, options)
    check(transcript, reading)
    assert "".join(token.text for token in reading.tokens) == line.replace(" ", "")
    cut = list(pieces.pieces(transcript.text, [(0, len(transcript.text))]))
    assert max(piece.end - piece.start for piece in cut) <= pieces.LONGEST + pieces.ENOUGH
    assert (cut[0].start, cut[-1].end) == (0, len(transcript.text))


def test_steps_are_switched_off_one_by_one(talks: list[Transcript]) -> None:
    everything = read(talks[0], SAMPLE).to_dict()
    for step in SAMPLE.steps:
        rest = tuple(other for other in SAMPLE.steps if other != step)
        reading = read(talks[0], SAMPLE.model_copy(update={"steps": rest})).to_dict()
        assert everything[step] and not (reading[step]["text"] if step == "tokens" else reading[step])
        assert all(reading[other] == everything[other] for other in rest)


def test_older_readings_can_be_read() -> None:
    place = {"start_char": 0, "end_char": 3, "start": 0.0, "end": 0.5, "speaker": "S0"}
    older = {
        "language": "en",
        "sentences": [{"text": "Ada", **place}],
        "tokens": [{"text": "Ada", "lemma": None, "pos": "PROPN", "is_stop": False, **place}],
        "entities": [{"text": "Ada", "label": "PERSON", "key": "ada", **place}],
        "models": {"note": None},
    }
    reading = Reading.from_dict(older)
    assert (reading.tokens[0].pos, reading.tokens[-1].end, reading.topics) == ("PROPN", 0.5, [])
    assert Reading.from_dict(reading.to_dict()) == reading
    assert Reading.from_dict({"language": "en", "tokens": []}) == Reading("en")
