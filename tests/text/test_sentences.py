"""Sentences of known texts: abbreviations, decimals, quotes, several scripts, and speech without punctuation."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channelscribe.text.sentences import at_pauses, sentences_of
from channelscribe.text.spans import char_times
from channelscribe.transcript import Segment, Transcript, Word

KNOWN = [
    ("en", ["Dr. Smith met Gen. Lee at 5 p.m. on Monday.", "They talked."]),
    ("en", ["It costs 3.50 dollars, i.e. about 1.2 percent.", "Version 2.0 is out!", "Why?"]),
    ("en", ['He said "Stop." and left.', '"Is it late?" she asked.', "No."]),
    ("en", ["J. K. Rowling wrote it.", "See St. Paul's, e.g. on Sunday."]),
    ("en", ["good morning.", "it is late.", "we go home."]),
    ("en", ["🎉 Great!", "See you 👋🏽 tomorrow.", "Bye 🇵🇹."]),
    ("de", ["Prof. Weber kam um 3.15 Uhr.", "Das kostet z.B. zwei Euro.", "Gut."]),
    ("fr", ["M. Dupont arrive à 8 h. demain.", "C'est « tout. »", "Oui ?"]),
    ("ru", ["Он живёт в г. Москва.", "Это проф. Иванов, т.е. врач.", "Да!"]),
    ("zh", ["今天很冷。", "你好吗？", "他说：「走吧！」", "好。"]),
    ("ja", ["今日は寒いです。", "元気ですか？", "はい。"]),
    ("ar", ["كيف حالك؟", "أنا بخير.", "شكرا!"]),
    ("ur", ["یہ کتاب ہے۔", "وہ کون ہے؟"]),
    ("hi", ["यह किताब है।", "वह कौन है?", "ठीक है॥"]),
    ("hy", ["Սա գիրք է։", "Լավ։"]),
]


@pytest.mark.parametrize(("language", "sentences"), KNOWN)
def test_known_sentences(language: str, sentences: list[str]) -> None:
    joint = "" if language in {"zh", "ja"} else " "
    text = joint.join(sentences)
    assert [text[start:end] for start, end in sentences_of(text, language)] == sentences


def spoken(*words: tuple[str, float], speakers: str = "") -> Transcript:
    """Words of 0.3 s with the silence after each, in one segment."""
    made, clock = [], 0.0
    for number, (text, silence) in enumerate(words):
        speaker = speakers[number] if speakers else None
        made.append(Word(text, clock, clock + 0.3, 1.0, speaker))
        clock += 0.3 + silence
    return Transcript("en", clock, [Segment(0.0, clock, " ".join(w for w, _ in words), words=made)])


def cut(transcript: Transcript, pause: float = 0.6, longest: int = 60) -> list[str]:
    text = transcript.text
    spans = at_pauses(text, sentences_of(text, "en"), char_times(transcript), pause, longest)
    return [text[start:end] for start, end in spans]


def test_without_punctuation_pauses_end_sentences() -> None:
    said = spoken(("we", 0.1), ("took", 0.1), ("it", 0.7), ("then", 0.5), ("we", 0.1), ("left", 0))
    assert cut(said) == ["we took it", "then we left"]
    assert cut(said, pause=0.5) == ["we took it", "then", "we left"]


def test_without_punctuation_another_speaker_ends_a_sentence() -> None:
    said = spoken(("are", 0.1), ("you", 0.1), ("well", 0.1), ("yes", 0.1), ("thanks", 0), speakers="AAABB")
    assert cut(said) == ["are you well", "yes thanks"]


def test_punctuation_counts_for_more_than_pauses() -> None:
    assert cut(spoken(("We", 0.1), ("took", 2.0), ("it.", 0.1), ("Fine.", 0))) == ["We took it.", "Fine."]


def test_a_sentence_that_is_too_long_ends_at_its_longest_silence() -> None:
    words = [(f"w{number}", 0.3 if number == 17 else 0.15) for number in range(24)]
    assert cut(spoken(*words, ("end.", 0)), longest=20)[0].endswith(" w17")
    never = cut(spoken(*((f"w{number}", 0.0) for number in range(200))), longest=20)
    assert len(never) == 1, "no silence, no cut"


def test_subtitles_without_punctuation_end_between_cues() -> None:
    cues = [Segment(n * 3.0, n * 3.0 + 2.7 - 0.2 * (n == 2), "six words are in this cue") for n in range(6)]
    text = Transcript("en", 18.0, cues).text
    spans = at_pauses(text, [(0, len(text))], char_times(Transcript("en", 18.0, cues)), 0.6, 24)
    assert [len(text[start:end].split()) for start, end in spans] == [18, 18]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from("aB .?!。؟।\"')\n…é🎉 中 м"), max_size=80) | st.text(max_size=80),
    st.sampled_from(["en", "zh", "ru", "ar", "xx"]),
)
def test_sentences_are_in_order_apart_and_lose_only_space(text: str, language: str) -> None:
    spans = sentences_of(text, language)
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(text[a:b] == text[a:b].strip() for a, b in spans)
