"""Files that other programs must be able to read, whatever was said and however badly it was timed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.errors import UsageError
from channelscribe.export import FORMATS, VideoMeta, plain_text, render, subtitles
from channelscribe.export.cues import cues
from channelscribe.export.readable import readable
from channelscribe.export.whisperx_json import parse
from channelscribe.settings.options import SubtitleOptions
from channelscribe.transcript import Segment, Transcript, Turn, Word

META = VideoMeta(title="Night train", url="https://example.org/v/1")
_CUE_TIME = re.compile(r"^(\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3})$")

_seconds = st.floats(0, 400_000, allow_nan=False)
_speakers = st.none() | st.sampled_from(["SPEAKER_00", "Anna & <Bob>"])
_words = st.builds(Word, st.text(min_size=1), _seconds, _seconds, st.none() | st.floats(0, 1), _speakers, st.booleans())
_segments = st.builds(
    Segment, _seconds, _seconds, st.text(), _speakers, st.none() | st.floats(-9, 0), st.lists(_words, max_size=3)
)
_transcripts = st.builds(
    Transcript,
    language=st.sampled_from(["en", "zh"]),
    duration=_seconds,
    segments=st.lists(_segments, max_size=8),
    turns=st.lists(st.builds(Turn, _seconds, _seconds, st.just("SPEAKER_00")), max_size=2),
    models=st.just({"recognizer": {"name": "sample"}, "aligner": None}),
    no_speech=st.booleans(),
    quality=st.just({"coverage": 0.5, "speech": [[0.0, 1.5]]}),
    stages=st.just({"align": {"seconds": 1.5, "engines": {"torch": "2"}}}),
)


def _example() -> Transcript:
    def segment(start: float, end: float, speaker: str, text: str) -> Segment:
        words = [Word(word, start, end, 0.5, speaker) for word in text.split()]
        return Segment(start, end, text, speaker, -0.2, words)

    segments = [
        segment(65.2, 67.0, "SPEAKER_00", "Is R&D <here> --> or there?"),
        segment(67.0, 68.4567, "SPEAKER_00", "Tell me."),
        segment(68.4567, 70.0, "SPEAKER_01", "There."),
    ]
    return Transcript("en", 80.0, segments, [Turn(65.2, 68.4, "SPEAKER_00"), Turn(68.4, 70, "SPEAKER_01")])


def test_txt_has_a_paragraph_for_each_turn() -> None:
    assert render(_example(), "txt", META) == (
        "Night train\nhttps://example.org/v/1\n\n"
        "[00:01:05] SPEAKER_00: Is R&D <here> --> or there? Tell me.\n\n"
        "[00:01:08] SPEAKER_01: There.\n"
    )


def test_txt_breaks_long_turns() -> None:
    segments = [Segment(start, start + 1, "Word.") for start in (0.0, 30.0, 61.0, 90.0)]
    text = render(Transcript("en", 100, segments), "txt", VideoMeta("", ""))
    assert text == "[00:00:00] Word. Word.\n\n[00:01:01] Word. Word.\n"


def test_chapters_are_where_a_format_has_room() -> None:
    meta = replace(META, chapters=((0.0, "Before anyone speaks"), (69.0, "Where & <when>"), (79.0, "Silence")))
    assert render(_example(), "txt", meta) == (
        "Night train\nhttps://example.org/v/1\n\n# Before anyone speaks\n\n"
        "[00:01:05] SPEAKER_00: Is R&D <here> --> or there? Tell me.\n\n# Where & <when>\n\n"
        "[00:01:08] SPEAKER_01: There.\n\n# Silence\n"
    )
    assert [each.text for each in plain_text.parse(render(_example(), "txt", meta))][1:] == ["There."]
    assert "\n\nNOTE Chapters\n00:00:00.000 Before anyone speaks\n00:01:09.000 Where &amp; &lt;when&gt;\n" in render(
        _example(), "vtt", meta
    )
    assert [each.text for each in subtitles.parse(render(_example(), "vtt", meta))][-1] == "There."
    video = json.loads(render(_example(), "json", meta))["channelscribe"]["video"]
    assert video["chapters"][1] == {"start": 69.0, "title": "Where & <when>"}
    for name in ("srt", "tsv"):
        assert render(_example(), name, meta) == render(_example(), name, META)


def test_a_chapter_cuts_a_long_turn() -> None:
    segments = [Segment(start, start + 1, "Word.") for start in (0.0, 20.0, 40.0)]
    text = render(Transcript("en", 100, segments), "txt", VideoMeta("", "", chapters=((20.5, "Two"),)))
    assert text == "[00:00:00] Word.\n\n# Two\n\n[00:00:20] Word. Word.\n"


def test_srt() -> None:
    assert render(_example(), "srt", META).startswith(
        "1\n00:01:05,200 --> 00:01:07,000\n[SPEAKER_00]: Is R&D <here> -> or there?\n\n"
        "2\n00:01:07,000 --> 00:01:08,457\n[SPEAKER_00]: Tell me.\n\n3\n"
    )


def test_vtt() -> None:
    assert render(_example(), "vtt", META).startswith(
        "WEBVTT\n\nNOTE\nNight train\nhttps://example.org/v/1\n\n"
        "00:01:05.200 --> 00:01:07.000\n<v SPEAKER_00>Is R&amp;D &lt;here&gt; --&gt; or there?\n\n"
    )


def test_tsv() -> None:
    assert render(_example(), "tsv", META).splitlines()[:2] == [
        "start\tend\ttext",
        "65200\t67000\tIs R&D <here> --> or there?",
    ]


def test_json_has_the_keys_of_whisperx() -> None:
    document = json.loads(render(_example(), "json", META))
    assert document["language"] == "en"
    assert document["segments"][2]["words"] == document["word_segments"][-1:]
    assert document["word_segments"][-1] == {
        "word": "There.",
        "start": 68.4567,
        "end": 70.0,
        "score": 0.5,
        "speaker": "SPEAKER_01",
        "aligned": True,
    }
    assert document["channelscribe"]["video"]["title"] == "Night train"


def test_an_unknown_format_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="docx"):
        render(_example(), "docx", META)


def test_hours_grow() -> None:
    late = Transcript("en", 1.0, [Segment(442_861.001, 442_862.0, "Late.")])
    assert "\n123:01:01.001 --> " in render(late, "vtt", META)


@given(_transcripts)
def test_json_comes_back_as_it_went(transcript: Transcript) -> None:
    for timed in (*transcript.segments, *transcript.words):
        timed.end = max(timed.start, timed.end)  # what ends before it starts is mended in reading
    assert parse(render(transcript, "json", META), "fr") == transcript


@given(_transcripts)
def test_cues_are_in_order_and_never_overlap(transcript: Transcript) -> None:
    made = cues(transcript)
    assert len(made) == sum(bool(segment.text.strip()) for segment in transcript.segments)
    assert all(0 <= cue.start < cue.end for cue in made)
    assert all(cue.end <= following.start for cue, following in pairwise(made))


@pytest.mark.slow
@given(_transcripts, st.sampled_from(["srt", "vtt"]))
def test_subtitles_are_well_formed(transcript: Transcript, name: str) -> None:
    """Read back as a player does: blocks between empty lines, each with one line of times and one or two of text."""
    text = render(transcript, name, META)
    text.encode("utf-8")
    blocks = [block for block in text.split("\n\n") if block.strip("\n")]
    if name == "vtt":
        assert blocks.pop(0) == "WEBVTT"
        blocks.pop(0)
    assert len(blocks) == len(readable(transcript, SubtitleOptions(), named=name == "srt"))
    for number, block in enumerate(blocks, start=1):
        lines = block.strip("\n").split("\n")
        if name == "srt":
            assert lines.pop(0) == str(number)
        times, *words = lines
        assert _CUE_TIME.match(times)
        assert 1 <= len(words) <= 2
        assert not any("-->" in line for line in words)
        if name == "vtt":
            assert "<" not in re.sub(r"^<v [^<>]*>", "", "".join(words))


@pytest.mark.slow
@given(_transcripts)
def test_tsv_has_three_columns(transcript: Transcript) -> None:
    lines = render(transcript, "tsv", META).split("\n")[:-1]
    assert all(len(line.split("\t")) == 3 for line in lines)
    assert len(lines) == 1 + len(cues(transcript))


@pytest.mark.slow
@given(_transcripts, st.text())
def test_no_title_breaks_a_file(transcript: Transcript, title: str) -> None:
    for name in FORMATS:
        render(transcript, name, VideoMeta(title, "")).encode("utf-8")
    vtt = render(transcript, "vtt", VideoMeta(title, ""))
    assert vtt.count("-->") == len(readable(transcript, SubtitleOptions()))
