from __future__ import annotations

import json
from itertools import accumulate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from channelscribe.audio.original_time import in_original_time, in_track_time
from channelscribe.audio.timeline import Timeline

SAMPLE = 1 / 48_000  # seconds, at the highest rate that is kept
TEN_HOURS_MS = 36_000_000


@st.composite
def timelines(draw: st.DrawFn, original_ms: int | None = None) -> Timeline:
    """Up to eight stretches, cut at milliseconds, of an original that need not end at one."""
    total = draw(st.integers(1, TEN_HOURS_MS)) if original_ms is None else original_ms
    cuts = sorted(draw(st.sets(st.integers(0, total), min_size=2, max_size=16)))
    stretches = zip(cuts[::2], cuts[1::2], strict=False)
    extra = draw(st.floats(0, 0.001)) if original_ms is None else 0.0
    return Timeline(total / 1000 + extra, tuple((start / 1000, end / 1000) for start, end in stretches))


@given(timelines(), st.floats(0, 1))
def test_there_and_back_within_one_sample(timeline: Timeline, where: float) -> None:
    second = where * timeline.seconds
    for ends in (False, True):
        original = timeline.to_original(second, ends=ends)
        back = timeline.to_output(original)
        assert back is not None and abs(back - second) < SAMPLE
        assert any(start <= original <= end for start, end in timeline.kept)


@given(timelines(), st.floats(0, 1))
def test_from_the_original_and_back(timeline: Timeline, where: float) -> None:
    original = where * timeline.original_seconds
    second = timeline.to_output(original)
    kept = any(start <= original <= end for start, end in timeline.kept)
    assert (second is not None) == kept
    if second is not None:
        both = (timeline.to_original(second), timeline.to_original(second, ends=True))
        assert min(abs(found - original) for found in both) < SAMPLE


@given(timelines(), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_order_is_kept(timeline: Timeline, where: list[float]) -> None:
    seconds = sorted(share * timeline.seconds for share in where)
    mapped = [timeline.to_original(second) for second in seconds]
    assert mapped == sorted(mapped)
    assert all(found + SAMPLE >= second for found, second in zip(mapped, seconds, strict=True))


@given(st.data())
def test_cutting_twice_is_one_cut(data: st.DataObject) -> None:
    first = data.draw(timelines())
    length_ms = int(first.seconds * 1000)
    assume(length_ms >= 1)
    again = data.draw(timelines(length_ms))
    second = Timeline(first.seconds, tuple((start, min(end, first.seconds)) for start, end in again.kept))
    both = first.then(second)
    assert abs(both.seconds - second.seconds) < SAMPLE
    where = data.draw(st.floats(0, 1)) * second.seconds
    # Where two stretches meet, rounding may choose either side: both are the same second of the file.
    step_by_step = first.to_original(second.to_original(where))
    at_once = {both.to_original(where), both.to_original(where, ends=True)}
    edges = [0.0, *accumulate(end - start for start, end in both.kept)]
    if all(abs(where - edge) > SAMPLE for edge in edges):
        assert min(abs(found - step_by_step) for found in at_once) < SAMPLE


@given(timelines())
def test_small_json(timeline: Timeline) -> None:
    text = json.dumps(timeline.to_json())
    assert Timeline.from_json(json.loads(text)) == timeline
    assert len(text) < 100 + 50 * len(timeline.kept)


@given(st.floats(0.001, 36_000), st.floats(0, 1))
def test_a_whole_file_changes_nothing(seconds: float, where: float) -> None:
    whole = Timeline.whole(seconds)
    assert whole.is_whole and whole.to_original(where * seconds) == where * seconds
    assert whole.then(whole) == whole
    assert (whole.to_original(-1), whole.to_original(seconds + 1)) == (0, seconds)


def test_where_two_stretches_meet() -> None:
    timeline = Timeline(100, ((10, 20), (50, 60)))
    assert (timeline.to_original(10), timeline.to_original(10, ends=True)) == (50, 20)
    assert timeline.to_output(30) is None and timeline.to_output(5) is None and timeline.to_output(61) is None
    assert not timeline.is_whole and timeline.seconds == 20


@pytest.mark.parametrize("kept", [((1, 1),), ((2, 1),), ((0, 3), (2, 4)), ((0, 11),), ((-1, 2),), ((float("nan"), 1),)])
def test_what_is_no_timeline(kept: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="stretches"):
        Timeline(10, kept)


def test_what_the_stages_answer_leaves_in_original_time() -> None:
    timeline = Timeline(60.0, ((4.125, 50.5),))
    word = {"text": "Ebbe", "start": 1.001, "end": 1.5, "score": 0.9, "aligned": True}
    aligned = {"segments": [{"start": 1.0, "end": 2.0, "text": "Ebbe", "words": [word]}], "aligner": None}
    mapped = in_original_time(aligned, timeline)
    assert mapped["segments"][0]["start"] == 5.125 and mapped["segments"][0]["words"][0]["start"] == 5.126
    assert mapped["segments"][0]["words"][0]["score"] == 0.9 and aligned["segments"][0]["start"] == 1.0
    turns = in_original_time({"turns": [{"start": 0.0, "end": 99.0, "speaker": "A"}]}, timeline)
    assert turns["turns"] == [{"start": 4.125, "end": 50.5, "speaker": "A"}]
    recognized = {
        "segments": [{"start": 0.031, "end": 46.375, "flags": ["quiet"]}],
        "speech": [[0.0, 2.5], [3.0, 46.375]],
        "quality": {"unheard": [[1.0, 2.0]], "languages": {"en": 1.0}},
        "audio_seconds": 46.375,
    }
    there = in_original_time(recognized, timeline)
    assert there["speech"] == [[4.125, 6.625], [7.125, 50.5]] and there["quality"]["unheard"] == [[5.125, 6.125]]
    assert there["audio_seconds"] == 60.0
    assert in_track_time(there, timeline) == recognized
    assert in_original_time(recognized, None) is recognized and in_track_time(recognized, None) is recognized
