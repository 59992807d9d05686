"""Speakers reach words and segments, and a segment never has two."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from channelscribe.speech.assemble import assemble
from channelscribe.transcript import Transcript


def _word(text: str, start: float, end: float) -> dict[str, Any]:
    return {"text": text, "start": start, "end": end, "score": 0.9, "aligned": True}


def _assemble(words: list[dict[str, Any]], turns: list[tuple[float, float, str]]) -> Any:
    segment = {
        "start": words[0]["start"],
        "end": words[-1]["end"],
        "text": " ".join(word["text"] for word in words),
        "avg_logprob": -0.1,
        "words": words,
    }
    recognition = {"language": "en", "audio_seconds": 60.0, "no_speech": False, "model": {"name": "sample"}}
    diarization = {"turns": [{"start": a, "end": b, "speaker": who} for a, b, who in turns], "diarizer": None}
    return assemble(recognition, {"segments": [segment], "aligner": {"name": "sample"}}, diarization)


def test_a_segment_is_split_where_the_speaker_changes() -> None:
    words = [_word("Are", 0, 1), _word("you", 1, 2), _word("there?", 2, 3), _word("Yes.", 3.5, 4)]
    transcript = _assemble(words, [(0, 3.1, "SPEAKER_00"), (3.1, 5, "SPEAKER_01")])

    assert [(s.text, s.speaker) for s in transcript.segments] == [
        ("Are you there?", "SPEAKER_00"),
        ("Yes.", "SPEAKER_01"),
    ]
    assert [(s.start, s.end) for s in transcript.segments] == [(0, 3), (3.5, 4)]
    assert transcript.text == "Are you there? Yes."
    assert transcript.models["aligner"] == {"name": "sample"}


def test_the_most_overlap_wins_and_else_the_nearest_turn() -> None:
    words = [_word("both", 0, 1), _word("gap", 4, 4.1), _word("late", 9, 9.5)]
    transcript = _assemble(words, [(0, 0.4, "B"), (0.3, 2, "A"), (4.5, 5, "B")])
    assert [word.speaker for word in transcript.words] == ["A", "B", "B"]


def test_a_long_turn_around_short_ones_is_still_found() -> None:
    transcript = _assemble([_word("x", 8, 9)], [(0, 10, "LONG"), (1, 2, "SHORT"), (3, 4, "SHORT")])
    assert transcript.words[0].speaker == "LONG"


def test_without_turns_nobody_is_named() -> None:
    transcript = _assemble([_word("Hello", 0, 1)], [])
    assert transcript.segments[0].speaker is None
    assert transcript.words[0].speaker is None


def test_no_speech_makes_an_empty_transcript() -> None:
    recognition: dict[str, Any] = {"language": None, "audio_seconds": 5.0, "no_speech": True, "model": {}}
    transcript = assemble(recognition, {"segments": [], "aligner": None}, {"turns": []})
    assert (transcript.language, transcript.no_speech, transcript.text) == ("und", True, "")


def test_flags_reach_every_part_of_a_segment_and_quality_the_transcript() -> None:
    words = [_word("Are", 0, 1), _word("you?", 1, 2), _word("Yes.", 3, 4)]
    segment = {"start": 0, "end": 4, "text": "Are you? Yes.", "avg_logprob": -1.2, "flags": ["unsure"], "words": words}
    recognition: dict[str, Any] = {"language": "en", "audio_seconds": 5.0, "no_speech": False, "model": {}}
    recognition |= {"speech": [[0.0, 4.0]], "speech_seconds": 4.0, "quality": {"flagged": 1, "unheard": []}}
    alignment = {
        "segments": [segment],
        "aligner": None,
        "note": "alignment is switched off",
        "quality": {"coverage": 1.0},
    }
    turns = [{"start": 0, "end": 2.5, "speaker": "A"}, {"start": 2.5, "end": 5, "speaker": "B"}]
    transcript = assemble(recognition, alignment, {"turns": turns})

    assert [each.flags for each in transcript.segments] == [["unsure"], ["unsure"]]
    assert transcript.quality == {
        "flagged": 1,
        "unheard": [],
        "coverage": 1.0,
        "speech": [[0.0, 4.0]],
        "speech_seconds": 4.0,
        "note": "alignment is switched off",
    }
    assert Transcript.from_dict(transcript.to_dict()) == transcript


def test_a_transcript_of_an_earlier_version_is_read() -> None:
    word = {"text": "Hi", "start": 0.0, "end": 1.0, "score": 0.5, "speaker": None, "aligned": True}
    segment = {"start": 0.0, "end": 1.0, "text": "Hi", "speaker": None, "avg_logprob": -0.1, "words": [word]}
    old = {"language": "en", "duration": 1.0, "segments": [segment], "turns": [], "models": {}, "no_speech": False}
    transcript = Transcript.from_dict(old)
    assert (transcript.segments[0].flags, transcript.quality, transcript.stages) == ([], {}, {})


_times = st.floats(0, 100).map(lambda value: round(value, 3))


@given(
    st.lists(st.tuples(_times, _times, st.sampled_from("ABC")), max_size=10),
    st.lists(st.tuples(_times, _times), min_size=1, max_size=10),
)
def test_speakers_are_what_a_slow_search_finds(
    turns: list[tuple[float, float, str]], stretches: list[tuple[float, float]]
) -> None:
    ordered = [(min(a, b), max(a, b) + 0.001, who) for a, b, who in turns]
    words = [_word(f"w{i}", min(a, b), max(a, b)) for i, (a, b) in enumerate(sorted(stretches))]
    transcript = _assemble(words, ordered)

    assert [word.text for word in transcript.words] == [word["text"] for word in words]
    for word in transcript.words:
        overlap = {who: 0.0 for _, _, who in ordered}
        for a, b, who in ordered:
            overlap[who] += max(0.0, min(b, word.end) - max(a, word.start))
        if any(value > 1e-9 for value in overlap.values()):
            assert overlap[word.speaker] >= max(overlap.values()) - 1e-9
        else:
            distance = {
                who: min(max(a - word.end, word.start - b) for a, b, w in ordered if w == who) for who in overlap
            }
            assert word.speaker in distance if distance else word.speaker is None
            if distance:
                assert distance[word.speaker] <= max(0.0, min(distance.values())) + 1e-9
    for segment in transcript.segments:
        assert {word.speaker for word in segment.words} == {segment.speaker}
