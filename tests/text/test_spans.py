"""Characters of the text find their words, times and speakers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channelscribe.text.spans import char_times
from channelscribe.transcript import Segment, Transcript, Word


def _transcript(*lines: str) -> Transcript:
    """Each word takes one second; each line is a segment, spoken by SPEAKER_00 and SPEAKER_01 in turn."""
    segments: list[Segment] = []
    clock = 0.0
    for number, line in enumerate(lines):
        speaker = f"SPEAKER_0{number % 2}"
        words = [Word(text, clock + i, clock + i + 0.9, 1.0, speaker) for i, text in enumerate(line.split())]
        segments.append(Segment(clock, clock + len(words), line, speaker, words=words))
        clock += len(words)
    return Transcript("en", clock, segments)


def test_a_span_over_segments_has_the_time_of_its_words() -> None:
    transcript = _transcript("The train to", " ", "Lisbon leaves. Late.")
    start = transcript.text.index("to")
    end = transcript.text.index("leaves.") + len("leaves.")
    times = char_times(transcript)

    assert times.span(start, end) == (2.0, 4.9, "SPEAKER_00")
    assert times.span(0, 3) == (0.0, 0.9, "SPEAKER_00")
    assert times.span(start + 1, start + 2) == (2.0, 2.9, "SPEAKER_00")


def test_the_speaker_is_the_one_of_most_words() -> None:
    transcript = _transcript("so", "we go home")
    assert char_times(transcript).span(0, len(transcript.text)) == (0.0, 3.9, "SPEAKER_01")


def test_a_space_belongs_to_the_word_before() -> None:
    assert char_times(_transcript("one two")).span(3, 4) == (0.0, 0.9, "SPEAKER_00")


def test_segments_without_words_and_empty_transcripts_answer_too() -> None:
    transcript = Transcript("en", 9, [Segment(1, 2, "Hello there", "SPEAKER_00"), Segment(3, 4, "Bye")])
    assert char_times(transcript).span(6, 11) == (1, 2, "SPEAKER_00")
    assert char_times(transcript).span(12, 15) == (3, 4, None)
    assert char_times(Transcript("en", 9)).span(0, 5) == (0.0, 0.0, None)


def test_chinese_words_are_found_without_spaces() -> None:
    words = [Word(character, i, i + 1) for i, character in enumerate("早上好")]
    assert char_times(Transcript("zh", 3, [Segment(0, 3, "早上好", words=words)])).span(1, 2) == (1, 2, None)


@given(st.lists(st.text("ab .", min_size=1, max_size=30), max_size=6))
def test_every_word_of_the_text_finds_its_own_time(lines: list[str]) -> None:
    transcript = _transcript(*lines)
    times, position = char_times(transcript), 0
    for word in transcript.words:
        position = transcript.text.index(word.text, position)
        assert times.span(position, position + len(word.text)) == (word.start, word.end, word.speaker)
        position += len(word.text)
