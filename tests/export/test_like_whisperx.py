"""The files of whisperX's command line: compared with what whisperX's own writers make of the same result."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.export import Layout, VideoMeta, render
from channelscribe.transcript import Segment, Transcript, Word

writers = pytest.importorskip("whisperx.utils")

META = VideoMeta("A title", "https://example.org/1")
LAYOUTS = {
    "plain": Layout(),
    "width": Layout(max_line_width=16),
    "count": Layout(max_line_count=1),
    "width and count": Layout(max_line_width=16, max_line_count=2),
    "one line": Layout(max_line_width=20, max_line_count=1),
    "highlight": Layout(highlight_words=True),
    "all": Layout(max_line_width=16, max_line_count=2, highlight_words=True),
}
WRITERS = {"txt": "WriteTXT", "srt": "WriteSRT", "vtt": "WriteVTT", "tsv": "WriteTSV"}


def theirs(result: dict[str, Any], name: str, layout: Layout) -> str:
    """What whisperX's writer makes of a result that has its shape."""
    options = {each: getattr(layout, each) for each in ("max_line_width", "max_line_count", "highlight_words")}
    file = io.StringIO()
    getattr(writers, WRITERS[name])("").write_result(result, file, options)
    return file.getvalue()


def as_result(transcript: Transcript) -> dict[str, Any]:
    """The transcript as whisperX would have had it, as its tools read our json."""
    result: dict[str, Any] = json.loads(render(transcript, "json", META))
    return result


def spoken(
    *texts: str, start: float = 3599.0, speakers: tuple[str | None, ...] = (None,), pause: float = 0.7
) -> Transcript:
    """Segments of words that last 0.3 s each with 0.05 s between them; the clock passes an hour."""
    segments, now = [], start
    for place, text in enumerate(texts):
        speaker = speakers[place % len(speakers)]
        words = [
            Word(word, round(now + 0.35 * n, 3), round(now + 0.35 * n + 0.3, 3), 0.9, speaker)
            for n, word in enumerate(text.split())
        ]
        segments.append(Segment(words[0].start, words[-1].end, text, speaker, -0.2, words))
        now = words[-1].end + pause
    return Transcript("en", now, segments)


TALK = (
    "The night train leaves at ten.",
    "Nobody is on it, but a cat.",
    "Yes.",
    "It was bound for Trondheim, they say.",
)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("speakers", [(None,), ("SPEAKER_00",)], ids=["nobody", "somebody"])
@pytest.mark.parametrize("pause", [0.7, 4.0])
def test_files_are_whisperxs(name: str, layout: Layout, speakers: tuple[str | None, ...], pause: float) -> None:
    transcript = spoken(*TALK, speakers=speakers, pause=pause)
    assert render(transcript, name, META, layout) == theirs(as_result(transcript), name, layout)


@pytest.mark.parametrize("layout", [LAYOUTS["plain"], LAYOUTS["width"], LAYOUTS["highlight"]])
@pytest.mark.parametrize("name", WRITERS)
def test_speakers_that_change_are_whisperxs(name: str, layout: Layout) -> None:
    transcript = spoken(*TALK, speakers=("SPEAKER_00", "SPEAKER_01"))
    assert render(transcript, name, META, layout) == theirs(as_result(transcript), name, layout)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("name", WRITERS)
def test_segments_without_words_are_whisperxs(name: str, layout: Layout) -> None:
    transcript = Transcript("en", 9.0, [Segment(0.0, 2.5, "No words here."), Segment(2.5, 5.0, "Nor here.")])
    result = as_result(transcript)
    for segment in result["segments"]:
        del segment["words"]
    assert render(transcript, name, META, layout) == theirs(result, name, layout)


def test_json_has_whisperxs_keys_and_values() -> None:
    """Its own file of the same result: every key that it writes is in ours with the same value."""
    transcript = spoken(*TALK, speakers=("SPEAKER_00", None))
    ours = as_result(transcript)
    for segment in ours["segments"]:
        assert {"start", "end", "text", "words", "avg_logprob"} <= set(segment)
        assert ("speaker" in segment) == (segment["text"] in (TALK[0], TALK[2]))
        assert all({"word", "start", "end", "score"} <= set(word) for word in segment["words"])
    assert ours["word_segments"] == [word for segment in ours["segments"] for word in segment["words"]]
    assert ours["language"] == "en"
    assert json.loads(render(transcript, "json", META, Layout())) == ours


def test_words_that_were_not_aligned_are_seen_until_they_are_said() -> None:
    """whisperX leaves their times out, so its subtitle ends before them; the rest of the file is the same."""
    transcript = spoken("It was in 1984.")
    transcript.words[-1].aligned = False
    result = as_result(transcript)
    for key in ("start", "end", "score"):
        del result["segments"][0]["words"][-1][key]
    expected = theirs(result, "srt", Layout())
    assert "00:59:59,000 --> 01:00:00,000\n" in expected
    assert render(transcript, "srt", META, Layout()) == expected.replace("01:00:00,000", "01:00:00,350")


def test_cues_never_join_two_speakers() -> None:
    transcript = spoken("Who is there?", "I am.", speakers=("SPEAKER_00", "SPEAKER_01"), pause=0.1)
    layout = Layout(max_line_width=80, max_line_count=2)
    assert "[SPEAKER_00]: Who is there? I am." in theirs(as_result(transcript), "srt", layout)
    found = render(transcript, "srt", META, layout)
    assert "[SPEAKER_00]: Who is there?\n" in found
    assert "[SPEAKER_01]: I am.\n" in found


def test_text_cannot_break_the_file() -> None:
    transcript = spoken("R&D <b> --> 00:00\n\n2\x85x")
    vtt = render(transcript, "vtt", META, Layout())
    assert vtt.endswith("R&amp;D &lt;b&gt; --&gt; 00:00 2 x\n\n")
    assert render(transcript, "srt", META, Layout()).endswith("\nR&D <b> -> 00:00 2 x\n\n")
    assert render(transcript, "txt", META, Layout()) == "R&D <b> --> 00:00 2 x\n"


def test_languages_without_spaces_have_none_when_words_are_highlighted() -> None:
    words = [Word("你", 0.0, 0.5), Word("好", 0.5, 1.0)]
    transcript = Transcript("zh", 1.0, [Segment(0.0, 1.0, "你好", words=words)])
    assert render(transcript, "srt", META, Layout()) == theirs(as_result(transcript), "srt", Layout())
    assert "<u>你</u>好" in render(transcript, "srt", META, Layout(highlight_words=True))


_WORDS = st.text("abcde.,'", min_size=1, max_size=12)


@given(
    st.lists(st.lists(_WORDS, min_size=1, max_size=30), min_size=1, max_size=6),
    st.sampled_from(["srt", "vtt"]),
    st.builds(Layout, st.none() | st.integers(1, 60), st.none() | st.integers(1, 4), st.booleans()),
    st.floats(0, 5),
)
def test_any_words_are_laid_out_as_whisperx_does(
    texts: list[list[str]], name: str, layout: Layout, pause: float
) -> None:
    transcript = spoken(*(" ".join(words) for words in texts), pause=pause)
    assert render(transcript, name, META, layout) == theirs(as_result(transcript), name, layout)


@given(
    st.lists(
        st.builds(
            Segment,
            st.floats(0, 9000),
            st.floats(0, 9000),
            st.text(max_size=20),
            st.none() | st.text(max_size=4),
            words=st.lists(st.builds(Word, st.text(max_size=9), st.floats(0, 9000), st.floats(0, 9000)), max_size=4),
        ),
        max_size=5,
    ),
    st.builds(Layout, st.none() | st.integers(1, 40), st.none() | st.integers(1, 3), st.booleans()),
)
def test_whatever_was_said_cues_are_well_formed(segments: list[Segment], layout: Layout) -> None:
    text = render(Transcript("en", 9000, segments), "vtt", META, layout)
    text.encode("utf-8")
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    assert blocks.pop(0) == ["WEBVTT"]
    for times, *lines in blocks:
        assert re.fullmatch(r"(\d+:)?\d\d:\d\d\.\d{3} --> (\d+:)?\d\d:\d\d\.\d{3}", times)
        start, end = (seconds(each) for each in times.split(" --> "))
        assert start < end
        assert lines
        assert all("-->" not in line and "<" not in re.sub("</?u>", "", line) for line in lines)


def seconds(stamp: str) -> float:
    hours, minutes, rest = ["0", *stamp.split(":")][-3:]
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)
