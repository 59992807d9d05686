"""Subtitles that people can read, whatever was said, in whatever script and however badly it was timed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.export import Layout, VideoMeta, render
from channelscribe.export.cues import Cue
from channelscribe.export.readable import readable, width
from channelscribe.languages import words_of
from channelscribe.sample import world
from channelscribe.settings.options import SubtitleOptions
from channelscribe.transcript import Segment, Transcript, Word

OPTIONS = SubtitleOptions()
META = VideoMeta("Talk", "")


def _said(text: str, start: float = 0.0, seconds: float = 0.3, language: str = "en", **more: object) -> Segment:
    """A segment whose words take so many seconds each."""
    words = words_of(text, language)
    timed = [Word(word, start + i * seconds, start + (i + 1) * seconds) for i, word in enumerate(words)]
    return Segment(start, start + len(words) * seconds, text, words=timed, **more)  # type: ignore[arg-type]


def _cues(*segments: Segment, language: str = "en", named: bool = False) -> list[Cue]:
    return readable(Transcript(language, segments[-1].end, list(segments)), OPTIONS, named=named)


def _assert_readable(cues: list[Cue]) -> None:
    for cue in cues:
        lines = cue.text.split("\n")
        assert len(lines) <= 2
        assert all(0 < width(line) <= 42 for line in lines)
        assert 0 < cue.end - cue.start <= 7000
    assert all(one.end <= other.start for one, other in pairwise(cues))


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    text = (
        "We can see the blue telescope before sunrise, with a small lens from the observatory, and when the night is "
        "over, the astronomers who worked there go home to sleep until the evening comes again."
    )
    cues = _cues(_said(text))
    _assert_readable(cues)
    assert " ".join(cue.text.replace("\n", " ") for cue in cues) == text
    assert all(cue.text[-1] in ",." for cue in cues)
    assert all(cue.end - cue.start >= 1000 for cue in cues)


def test_a_real_script_is_readable_to_its_end() -> None:
    for episode in world.episodes():
        segments = []
        for sentence in episode.script.sentences:
            spoken = [each for each in episode.script.words if sentence.start <= each.start < sentence.end]
            words = [Word(each.text, each.start, each.end) for each in spoken]
            text = " ".join(word.text for word in words)
            segments.append(Segment(sentence.start, sentence.end, text, sentence.speaker, words=words))
        cues = readable(Transcript("en", 99, segments), OPTIONS)
        _assert_readable(cues)
        assert " ".join(cue.text.replace("\n", " ") for cue in cues) == " ".join(each.text for each in segments)
        assert sum(cue.end - cue.start < 1000 for cue in cues) <= len(cues) / 20
        assert {cue.speaker for cue in cues} == {each.speaker for each in segments}


def test_no_cue_goes_over_a_pause_or_another_speaker() -> None:
    one, two = _said("Good morning.", speaker="A"), _said("Good evening to you.", 0.7, speaker="B")
    later = _said("And much later this.", 21.0, speaker="B")
    cues = _cues(one, two, later)
    assert [(cue.speaker, cue.text) for cue in cues] == [
        ("A", "Good morning."), ("B", "Good evening to you."), ("B", "And much later this.")
    ]  # fmt: skip
    assert cues[0].end - cues[0].start == 1000  # the next waits for it
    assert cues[1].end <= 3000
    _assert_readable(cues)


def test_a_silence_inside_a_segment_ends_a_cue() -> None:
    words = [Word("Before", 0, 0.4), Word("after", 1.9, 2.3)]
    assert [cue.text for cue in _cues(Segment(0, 2.3, "Before after", words=words))] == ["Before", "after"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "ja",
            "今日はComfyUIの話をします。それから、東京で新しい電車に乗って、古い友達に会いに行きました。とても楽しかったです。",
        ),
        (
            "zh",
            "早上好，欢迎收看今天的节目，我们要谈的是天气和铁路。下一班去北京的火车八点出发，请大家准时到达车站，不要忘记带雨伞。",
        ),
        ("th", "สวัสดีครับ วันนี้เราจะพูดถึงรถไฟ และอากาศในกรุงเทพ เพราะฝนตกหนักมากตั้งแต่เมื่อวานนี้"),
        ("ar", "صباح الخير، اليوم نتحدث عن الطقس وعن القطارات؛ القطار إلى القاهرة يغادر في الساعة الثامنة."),
    ],
)
def test_scripts_keep_their_text_and_their_width(language: str, text: str) -> None:
    cues = _cues(_said(text, seconds=0.15, language=language), language=language)
    _assert_readable(cues)
    assert len(cues) > 1
    assert "".join("".join(cue.text.split()) for cue in cues) == "".join(text.split())
    assert not any(line[0] in "。，、ะาำ่้ั" for cue in cues for line in cue.text.split("\n"))


def test_the_speaker_in_brackets_is_counted() -> None:
    cues = _cues(_said("one two three four five six seven eight nine ten eleven twelve", speaker="Helena"), named=True)
    assert all(width(f"[Helena]: {cue.text.splitlines()[0]}") <= 42 for cue in cues)
    long = _cues(_said("Hello there.", speaker="An uncommonly long name of somebody who speaks"), named=True)
    assert all(width(line) <= 42 for line in f"[{long[0].speaker}]: ".splitlines())


def test_what_nobody_said_is_left_out() -> None:
    invented = _said("Thanks for watching!", flags=["boilerplate"])
    assert [cue.text for cue in _cues(invented, _said("Good morning.", 5))] == ["Good morning."]


def test_segments_without_words_share_their_time() -> None:
    text = "one two three four five six seven eight nine ten " * 6
    cues = _cues(Segment(10, 40, text))
    _assert_readable(cues)
    assert (cues[0].start, len(cues) > 4) == (10_000, True)


def test_a_word_wider_than_a_line_is_divided() -> None:
    cues = _cues(_said(f"see https://example.org/{'x' * 80} there"))
    _assert_readable(cues)


def test_a_layout_of_whisperx_has_its_cues() -> None:
    transcript = Transcript("en", 30, [_said("one two three four five six seven eight nine ten " * 3)])
    assert render(transcript, "srt", META, Layout()).count("-->") == 1
    assert render(transcript, "srt", META, Layout(readable=True)).count("-->") > 1
    narrow = render(transcript, "srt", META, subtitles=SubtitleOptions(line_characters=20, lines=1))
    assert all(len(line) <= 20 for line in narrow.splitlines() if "-->" not in line)


_times = st.floats(0, 100, allow_nan=False)
_words = st.builds(Word, st.text("ab,. 東ั", min_size=1, max_size=60), _times, _times)
_segments = st.builds(
    Segment, _times, _times, st.text("ab,. 東", max_size=99), st.sampled_from([None, "A", "B"]), st.none(),
    st.lists(_words, max_size=9),
)  # fmt: skip


@given(st.lists(_segments, max_size=5), st.sampled_from(["en", "ja"]))
def test_any_transcript_is_readable(segments: list[Segment], language: str) -> None:
    _assert_readable(readable(Transcript(language, 100, segments), OPTIONS, named=True))
