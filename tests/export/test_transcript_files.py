"""Transcripts from files: what we write is read again, and so are WhisperX's and others' files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.errors import TextError
from channelscribe.export import VideoMeta, render
from channelscribe.export.loading import load_transcript, name_and_language
from channelscribe.transcript import Segment, Transcript, Word

OURS = Transcript(
    "de",
    70.5,
    [
        Segment(0.5, 2.25, "Hallo & <guten> Tag.", "SPEAKER_00", None, [Word("Hallo", 0.5, 1.0, 0.9, "SPEAKER_00")]),
        Segment(65.0, 70.5, "Es ist --> spät.", "SPEAKER_01"),
    ],
)


def load(folder: Path, name: str, text: str) -> Transcript:
    (folder / name).write_text(text, encoding="utf-8")
    return load_transcript(folder / name, "en")


@pytest.mark.parametrize("ending", ["txt", "srt", "vtt", "json"])
def test_our_own_files_are_read_again(tmp_path: Path, ending: str) -> None:
    text = render(OURS, ending, VideoMeta("A title", "https://example.org/1"))
    back = load(tmp_path, f"talk.de.{ending}", text)
    arrow = "->" if ending == "srt" else "-->"
    assert [s.text for s in back.segments] == ["Hallo & <guten> Tag.", f"Es ist {arrow} spät."]
    assert [s.speaker for s in back.segments] == ["SPEAKER_00", "SPEAKER_01"]
    assert [s.start for s in back.segments] == ([0.0, 65.0] if ending == "txt" else [0.5, 65.0])
    assert back.language == "de"
    if ending == "json":
        assert back.segments[0].words == OURS.segments[0].words


def test_records_of_the_store_are_read_too(tmp_path: Path) -> None:
    assert load(tmp_path, "t.json", json.dumps(OURS.to_dict())).segments == OURS.segments


def test_whisperx_json_with_words_that_were_not_aligned(tmp_path: Path) -> None:
    words = [
        {"word": "In", "start": 1.0, "end": 1.2, "score": 0.9},
        {"word": "1984,"},
        {"word": "20"},
        {"word": "came", "start": 2.2, "end": 2.5, "score": 0.8, "speaker": "SPEAKER_00"},
        {"word": "7."},
    ]
    whisperx = {"segments": [{"start": 1.0, "end": 3.0, "text": " In 1984, 20 came 7.", "words": words}]}
    (segment,) = load(tmp_path, "talk.json", json.dumps({**whisperx, "language": "fr"})).segments
    assert [(w.start, w.end, w.aligned) for w in segment.words] == [
        (1.0, 1.2, True), (1.2, 1.7, False), (1.7, 2.2, False), (2.2, 2.5, True), (2.5, 3.0, False),
    ]  # fmt: skip
    assert load(tmp_path, "talk.json", json.dumps(whisperx)).language == "en"


def test_web_vtt_of_other_makers(tmp_path: Path) -> None:
    text = (
        "\ufeffWEBVTT - A title\n\nSTYLE\n::cue { color: red }\n\nNOTE nothing\n\nintro\n"
        "00:01.500 --> 00:03.000 align:start position:0%\n<v.loud Anna Bo>Hi <i>there</i> &lt;3\n"
        "and <00:02.000><c>you</c>\n\n"
        "1:00:00.000 --> 1:00:01.000\n \n"
    )
    (segment,) = load(tmp_path, "a.vtt", text).segments
    assert (segment.start, segment.end, segment.speaker, segment.text) == (1.5, 3.0, "Anna Bo", "Hi there <3 and you")


def test_srt_without_numbers_and_empty_lines(tmp_path: Path) -> None:
    text = "00:00:01,000 --> 00:00:02,000\r\none\r\n00:00:03,5 --> 00:00:02,000\r\ntwo\r\nlines"
    found = load(tmp_path, "a.srt", text).segments
    assert [(s.start, s.end, s.text) for s in found] == [(1.0, 2.0, "one"), (3.5, 3.5, "two lines")]


def test_plain_text_has_no_times(tmp_path: Path) -> None:
    found = load(tmp_path, "a.txt", "[SPEAKER_00]: Hello.\n\nA line\tof text.\n")
    assert [(s.text, s.speaker, s.start, s.end) for s in found.segments] == [
        ("Hello.", "SPEAKER_00", 0.0, 0.0), ("A line of text.", None, 0.0, 0.0),
    ]  # fmt: skip
    assert load(tmp_path, "empty.txt", "").segments == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.srt", b"no times here", "no subtitle"),
        ("a.json", b"{", "not a transcript"),
        ("a.json", b"[" * 200_000, "not a transcript"),
        ("a.json", b'{"segments": 3}', "segments"),
        ("a.json", b'{"segments": [{"text": "x"}]}', "segment"),
        ("a.json", b'{"segments": [{"text": "x", "start": NaN, "end": 1}]}', "no time"),
        ("a.json", b'{"segments": [{"text": "x", "start": 0, "end": 1, "words": [7]}]}', "segment"),
        ("a.txt", b"\xff\xfe\x00", "UTF-8"),
        ("a.txt", b"a\x00b", "binary"),
        ("folder.txt", None, "cannot be read"),
    ],
)
def test_what_is_no_transcript_says_why(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(TextError, match=says):
        load_transcript(path, "en")


@given(st.sampled_from(["txt", "srt", "vtt", "json"]), st.text(max_size=60) | st.text('<>[]:-0123, \n{}"', max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, ending: str, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{ending}"
    path.write_bytes(text.encode("utf-8", "replace"))
    try:
        assert load_transcript(path, "en").language == "en"
    except TextError as error:
        assert error.message


@pytest.mark.parametrize(
    ("name", "found"),
    [("talk.de.srt", ("talk", "de")), ("talk.hd.srt", ("talk.hd", None)), ("de.srt", ("de", None)), ("a", ("a", None))],
)
def test_a_name_may_tell_the_language(name: str, found: tuple[str, str | None]) -> None:
    assert name_and_language(Path(name)) == found
