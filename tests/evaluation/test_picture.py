"""The picture shows what is in the transcript, at its place, and no title breaks it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.evaluation.drawing import bars_of, by_row
from channelscribe.evaluation.picture import LARGEST, ROW_SECONDS, WIDTH, picture, small_picture
from channelscribe.transcript import Segment, Transcript, Turn, Word

SVG = "{http://www.w3.org/2000/svg}"
_PATH = re.compile(r"M([\d.]+) ([\d.]+)h([\d.]+)")
LEFT, WIDE = 104, WIDTH - 104 - 14  # pixels before the row, and of it


def parsed(svg: str | bytes) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def talk(seconds: float = 100.0) -> Transcript:
    words = [
        Word("sure", 0.0, 10.0, 0.9),
        Word("unsure", 10.0, 20.0, 0.4),
        Word("1984", 20.0, 30.0, aligned=False),
        Word("doubtful", 30.0, 40.0, 0.1),
    ]
    segments = [Segment(0.0, 20.0, "sure unsure", "A", words=words[:2])]
    segments += [Segment(20.0, 40.0, "1984 doubtful", "B", words=words[2:], flags=["unsure"])]
    turns = [Turn(0.0, 25.0, "A"), Turn(20.0, 40.0, "B")]
    quality = {"speech": [[0.0, 40.0], [60.0, 70.0]], "gaps": [[60.0, 70.0]], "unheard": [[60.0, 70.0]]}
    return Transcript("en", seconds, segments, turns, quality=quality)


def bars(svg: str, kind: str, seconds: float = 100.0) -> list[tuple[float, float]]:
    """Start and end of the bars of a kind, in seconds, the bars of one row after those of the other."""
    paths = [path for path in parsed(svg).iter(f"{SVG}path") if path.get("class") == kind]
    scale = WIDE / seconds
    found = []
    for path in paths:
        for left, _, width in _PATH.findall(path.get("d") or ""):
            start = (float(left) - LEFT) / scale
            found.append((round(start, 0), round(start + float(width) / scale, 0)))
    return found


def test_each_lane_has_its_bars_at_their_time() -> None:
    svg = picture(talk(), "A talk")
    assert bars(svg, "speech") == [(0, 40), (60, 70)]
    assert bars(svg, "sure") == [(0, 10)]
    assert bars(svg, "unsure") == [(10, 20)]
    assert bars(svg, "guess") == [(20, 30)]
    assert bars(svg, "doubt") == [(30, 40)]
    assert bars(svg, "gap") == [(60, 70)]
    assert bars(svg, "flag") == [(20, 40)]
    assert bars(svg, "s0") == [(0, 25)]
    assert bars(svg, "s1") == [(20, 40)]


def test_a_long_recording_has_several_rows_and_a_time_axis() -> None:
    transcript = talk(2 * ROW_SECONDS + 60)
    transcript.turns = [Turn(ROW_SECONDS - 10, ROW_SECONDS + 20, "A")]
    svg = picture(transcript, "A talk")
    assert bars(svg, "s0", ROW_SECONDS) == [(ROW_SECONDS - 10, ROW_SECONDS), (0, 20)]
    said = [text.text for text in parsed(svg).iter(f"{SVG}text")]
    assert said.count("speech") == 3
    assert {"0:00", "10:00", "15:00", "20:00"} <= set(said)


def test_transcripts_that_tell_little_are_drawn_too() -> None:
    nothing = picture(Transcript("und", 0.0, no_speech=True), "")
    assert bars(nothing, "sure") == []
    only_text = picture(Transcript("en", 0.0, [Segment(1.0, 3.0, "Hello")]), "x")
    assert parsed(only_text).tag == f"{SVG}svg"


def test_who_speaks_least_share_a_lane() -> None:
    turns = [Turn(n, n + 1 + n / 10, f"SPEAKER_{n:02d}") for n in range(9)]
    svg = picture(Transcript("en", 20.0, turns=turns), "x")
    said = [text.text for text in parsed(svg).iter(f"{SVG}text")]
    assert [name for name in said if name and name.startswith("SPEAKER")] == [f"SPEAKER_{n:02d}" for n in range(3, 9)]
    assert "3 others" in said


@given(st.text(max_size=200), st.text(max_size=30))
def test_no_title_and_no_speaker_breaks_the_picture(title: str, speaker: str) -> None:
    transcript = talk()
    transcript.turns.append(Turn(50.0, 55.0, speaker))
    root = parsed(picture(transcript, title))
    assert {child.tag.removeprefix(SVG) for child in root} == {"title", "style", "rect", "text", "path"}
    assert not any(name.startswith("on") or "href" in name for each in root.iter() for name in each.attrib)


def test_a_hostile_title_stays_text() -> None:
    title = "<script>alert(1)</script>\"'&\x00\u202e ]]> <image href='http://x'/>"
    svg = picture(talk(), title)
    assert "<script" not in svg
    assert "<image" not in svg
    assert "\x00" not in svg
    said = [text.text or "" for text in parsed(svg).iter(f"{SVG}text")]
    assert any("<script>alert(1)</script>" in each for each in said)


@pytest.mark.slow
def test_a_small_picture_is_small_whatever_was_said() -> None:
    """Ten hours in which everything changes with each word."""
    scores, segments, now = (0.9, 0.4, 0.1, None), [], 0.0
    for n in range(12_000):
        words = [Word("w", now + m, now + m + 0.5, scores[(n + m) % 4], None, (n + m) % 3 > 0) for m in range(3)]
        segments.append(Segment(now, now + 3, "w w w", words=words, flags=["unsure"] if n % 2 else []))
        now += 3
    turns = [Turn(s.start, s.end, f"SPEAKER_{n % 7:02d}") for n, s in enumerate(segments)]
    transcript = Transcript("en", now, segments, turns, quality={"speech": [[s.start, s.end - 1] for s in segments]})
    assert transcript.duration == 36_000
    small = small_picture(transcript, "Ten hours")
    assert small is None or len(small.encode()) <= LARGEST
    assert len(small_picture(talk(), "x") or "") > 1000


def test_of_several_kinds_each_place_shows_the_one_it_has_most_of() -> None:
    kinds = [("often", [(0.0, 9.0)]), ("seldom", [(9.0, 10.0), (50.0, 50.1)])]
    assert bars_of(kinds, (0.0, 100.0), 0.05) == [("often", [(0.0, 0.5)]), ("seldom", [(2.5, 3.0)])]
    assert bars_of(kinds[1:], (0.0, 100.0), 0.05) == [("seldom", [(0.5, 1.5), (2.5, 3.5)])]


@pytest.mark.parametrize(
    ("stretch", "rows"), [((0.0, 10.0), [0]), ((9.0, 11.0), [0, 1]), ((10.0, 10.0), [1]), ((25.0, 99.0), [2])]
)
def test_stretches_are_in_every_row_that_they_reach(stretch: tuple[float, float], rows: list[int]) -> None:
    found = by_row([("x", [stretch])], 10.0, 3)
    assert [number for number, row in enumerate(found) if row[0][1]] == rows
