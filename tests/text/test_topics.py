"""Topics and key phrases of texts whose subjects are known."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from spacy.lang.en.stop_words import STOP_WORDS

from channelscribe.settings import TextOptions
from channelscribe.text.key_phrases import key_phrases
from channelscribe.text.reading import read
from channelscribe.text.sentences import sentences_of
from channelscribe.text.topics import boundaries, titles
from channelscribe.transcript import Segment, Transcript, Word

SUBJECTS = [
    "engine train railway station platform ticket conductor driver carriage tunnel bridge signal",
    "soup carrot onion kitchen spoon recipe butter pepper oven bowl garlic supper",
    "comet telescope orbit planet asteroid galaxy moon observatory crater rocket spectrum dust",
]


def talk(subject: str, sentences: int, seed: int) -> str:
    rng = Random(seed)
    words = subject.split()
    lines = (f"And then the {rng.choice(words)} and the {rng.choice(words)} were with our {rng.choice(words)}."
             for _ in range(sentences))  # fmt: skip
    return " ".join(lines)


@pytest.fixture(scope="module")
def talks() -> list[str]:
    return [talk(subject, 150, number) for number, subject in enumerate(SUBJECTS)]


def test_a_change_of_subject_is_found_at_the_end_of_a_sentence(talks: list[str]) -> None:
    text = " ".join(talks)
    starts = [start for start, _ in sentences_of(text, "en")]
    found = boundaries(text, starts, STOP_WORDS)
    truth = [len(talks[0]) + 1, len(talks[0]) + len(talks[1]) + 2]
    assert set(found) <= set(starts)
    for place in truth:
        assert min(abs(place - other) for other in found) < 600, "within ten sentences"
    assert len(found) <= 6


def test_topics_have_time_speaker_and_typical_words(talks: list[str]) -> None:
    words = [Word(text, n * 0.4, n * 0.4 + 0.3, 1.0, "S0") for n, text in enumerate(" ".join(talks).split())]
    segments = [
        Segment(part[0].start, part[-1].end, " ".join(w.text for w in part), "S0", words=part)
        for part in (words[n : n + 25] for n in range(0, len(words), 25))
    ]
    transcript = Transcript("en", words[-1].end, segments)
    reading = read(transcript, TextOptions(models={}))
    assert (reading.topics[0].start_char, reading.topics[-1].end_char) == (0, len(transcript.text))
    assert (reading.topics[0].start, reading.topics[-1].end) == (0.0, words[-1].end)
    for before, after in pairwise(reading.topics):
        assert before.end_char + 1 == after.start_char and before.end <= after.start
    assert set(reading.topics[0].words) <= set(SUBJECTS[0].split())
    assert set(reading.topics[-1].words) <= set(SUBJECTS[2].split())
    assert {topic.speaker for topic in reading.topics} == {"S0"}
    assert read(transcript, TextOptions(models={}, topics_from_words=10_000)).topics == []


def test_one_subject_or_a_short_text_is_not_divided() -> None:
    assert boundaries("", [], STOP_WORDS) == []
    assert boundaries("A short text.", [0], STOP_WORDS) == []


def test_key_phrases_of_the_papers_kind() -> None:
    text = "Compatibility of linear Diophantine equations. The linear Diophantine equations are solved."
    found = key_phrases(text, STOP_WORDS, 2)
    assert [(each.key, each.mentions) for each in found] == [("linear diophantine equations", 2), ("compatibility", 1)]
    assert text[found[0].start_char : found[0].end_char] == "linear Diophantine equations"
    assert found[0].score == 9.0  # three words, each of degree 6 and frequency 2


def test_key_phrases_end_at_marks_numbers_and_are_not_long() -> None:
    keys = [each.key for each in key_phrases("Red soup, blue bowl 7 old spoons", STOP_WORDS, 9)]
    assert keys == ["red soup", "blue bowl", "old spoons"]
    assert key_phrases("one two three four five six seven eight nine ten" * 2, {"and"}, 9) == []
    assert key_phrases("anything", set(), 9) == []


@pytest.mark.slow
def test_a_language_without_spaces_has_no_key_phrases() -> None:
    transcript = Transcript("zh", 2, [Segment(0, 2, "今天很冷。你好吗？")])
    reading = read(transcript, TextOptions(models={}))
    assert reading.key_phrases == [] and [s.text for s in reading.sentences] == ["今天很冷。", "你好吗？"]


def test_titles_are_phrases_that_are_said_each_once() -> None:
    parts = [
        "The night train was late. Our night train waits for the steam engine, and the night train leaves.",
        "It was onion soup, and onion soup again. Onion soup is with the night train.",
        "Moon. The moon, a moon, and the moon.",
    ]
    text, spans = " ".join(parts), []
    for part in parts:
        spans.append((text.index(part), text.index(part) + len(part)))
    typical = [["night", "train"], ["onion", "soup"], ["moon", "tide"]]
    assert titles(text, spans, typical, STOP_WORDS)[1:] == ["Onion soup", "Moon, tide"]
    first = titles(text, spans, typical, STOP_WORDS)[0]
    assert "night train" in first.lower() or "steam engine" in first.lower()
    again = titles(text, [spans[0], spans[0]], [["night", "train"]] * 2, STOP_WORDS)
    assert again[0] != again[1] and titles("", [], [], STOP_WORDS) == []
