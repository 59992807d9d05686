"""What the gate doubts, what it lets pass, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.sample import world
from channelscribe.speech.decoding import Clip, decode
from channelscribe.speech.hallucinations import is_boilerplate
from channelscribe.speech.quality_gate import FLAGS, Decoded, coverage, flags, has_gaps, is_fuller
from channelscribe.speech.vad import Chunk
from channelscribe.speech.word_times import Sound, unsaid


def _flags(text: str, seconds: float, language: str = "en", logprob: float = -0.2, silent: float = 0.0) -> list[str]:
    return flags(Decoded(text, logprob, silent), seconds, language)


@pytest.mark.parametrize(
    ("text", "seconds", "given", "expected"),
    [
        ("Good morning, this is Helena Brooks from the Polar Observatory.", 4, {}, []),
        ("", 3, {}, ["no_text"]),
        ("", 0.4, {}, []),  # a cough
        ("the same and " * 20, 30, {}, ["repetitive"]),
        ("Good morning to all of you.", 3, {"logprob": -1.2}, ["unsure"]),
        ("one two three four five six seven eight nine ten", 1, {}, ["too_fast"]),
        ("Hm.", 20, {}, ["too_sparse"]),
        ("Yes.", 0.2, {}, []),
        ("早上好大家好欢迎收看", 1.5, {"language": "zh"}, []),  # ten characters are not ten words
        ("Thanks for watching!", 1, {"silent": 0.8}, ["boilerplate"]),
        ("Thanks for watching!", 1, {}, []),  # somebody said it
        ("ご視聴ありがとうございました", 3, {"language": "ja", "silent": 0.5}, ["boilerplate"]),
        ("Thank you.", 0.05, {}, ["invented"]),  # a click
        ("That's what I thought I'd get.", 3, {"silent": 0.7, "logprob": -0.8}, ["invented"]),  # laughter
        ("That's what I thought I'd get.", 3, {"silent": 0.7}, []),  # it is sure of it
    ],
)
def test_flags(text: str, seconds: float, given: dict[str, Any], expected: list[str]) -> None:
    assert _flags(text, seconds, **given) == expected
    assert set(expected) <= set(FLAGS)


def test_the_sample_channel_passes() -> None:
    for episode in world.episodes():
        for sentence in episode.script.sentences:
            assert _flags(sentence.text, sentence.end - sentence.start) == []


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Untertitel der Amara.org-Community", "de", True),
        ("Untertitelung im Auftrag des ZDF, 2020", "de", True),
        ("Thank you.", "en", True),
        ("Thank you for the flowers.", "en", False),
        ("You", "en", True),
        ("You are late.", "en", False),
        ("Thanks for watching! " * 12, "en", True),
        ("Продолжение следует...", "ru", True),
        ("Продолжение следует...", "en", False),
        ("", "en", False),
        ("Sous-titrage Société Radio-Canada", "fr", True),
        ("Terima kasih telah menonton!", "id", True),
        ("ترجمة نانسي قنقر", "ar", True),
        ("תודה רבה על הצפייה", "he", True),
        ("Hãy subscribe cho kênh Ghiền Mì Gõ", "vi", True),
        ("Tack för att ni har tittat.", "sv", True),
        ("Undertexter från Amara.org-gemenskapen", "sv", True),
        ("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", "zh", True),
        ("Merci.", "fr", True),
        ("Merci de me dire pourquoi.", "fr", False),
        ("We talked with volunteers of Amara.org about subtitles, about time, about money, about what is next for all.",
         "en", False),
    ],
)  # fmt: skip
def test_boilerplate(text: str, language: str, expected: bool) -> None:
    assert is_boilerplate(text, language) is expected


def test_coverage_says_where_speech_has_no_word() -> None:
    covered, gaps = coverage([(0.0, 10.0), (20.0, 30.0)], [(1.0, 2.0), (2.1, 4.0), (25.0, 26.0)])
    assert covered == pytest.approx(4.0 + 2.0)
    assert gaps == [(4.5, 10.0), (20.0, 24.5), (26.5, 30.0)]
    assert coverage([], []) == (0.0, [])


_stretches = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=8)


@pytest.mark.slow
@given(_stretches, _stretches)
def test_coverage_is_what_counting_finds(speech: list[tuple[int, int]], words: list[tuple[int, int]]) -> None:
    spoken, position = [], 0
    for gap, length in speech:
        spoken.append((float(position + gap), float(position + gap + length)))
        position += gap + length
    said = [(float(start), float(start + length)) for start, length in words]
    covered, gaps = coverage(spoken, said)
    half_seconds = [(start + i / 2) for start, end in spoken for i in range(int((end - start) * 2))]
    expected = sum(any(a - 0.5 <= at and at + 0.5 <= b + 0.5 for a, b in said) for at in half_seconds) / 2
    assert covered == pytest.approx(expected)
    assert sum(b - a for a, b in gaps) <= sum(b - a for a, b in spoken) - covered + 1e-6


def test_hurried_talk_with_sound_between_its_words_may_lack_some() -> None:
    words = [{"start": 1.0, "end": 1.5}, {"start": 1.7, "end": 2.0}, {"start": 3.5, "end": 4.0}]
    sound = Sound(0.0, 0.01, np.r_[np.zeros(250, bool), np.ones(250, bool)])
    gap = unsaid(words, [(1.0, 4.2)], sound)
    assert gap == pytest.approx(1.0)  # of the 1.5 s between two words the loud ones; a breath is none
    hurried = Decoded("you know I heard a beep", -0.2, 0.0)
    assert has_gaps(hurried, gap)
    assert not has_gaps(hurried, 0.9)
    assert not has_gaps(replace(hurried, avg_logprob=-0.1), gap)


@pytest.mark.parametrize(
    ("text", "logprob", "taken"),
    [
        ("well you know I heard a beep", -0.4, True),
        ("you know I heard a beep", -0.1, False),
        ("well you know I heard a beep", -0.5, False),
        ("you know " * 40, -0.2, False),
    ],
)
def test_the_fuller_answer_is_taken_where_it_is_about_as_sure(text: str, logprob: float, taken: bool) -> None:
    first = Decoded("you know I heard a beep", -0.2, 0.0)
    assert is_fuller(Decoded(text, logprob, 0.0), first, 8.0, "en") is taken


class _Scripted:
    """Stands in for a recognizer whose tries are known: what is chosen among them is what is tested."""

    rewrite: ClassVar[dict[str, str]] = {}

    def __init__(self, first: Decoded, *more: Decoded) -> None:
        self.first, self.more, self.tries = first, more, 0

    def hear(self, features: list[Any]) -> Any:
        return np.zeros((len(features), 1))

    def decode(self, encoded: Any, count: int) -> list[Decoded]:
        return [self.first] * count

    def attended(self, encoded: Any, said: list[Decoded], clips: list[Clip]) -> list[Any]:
        return [[]] * len(said)

    def decode_again(self, audio: Any) -> Iterator[Decoded]:
        for candidate in self.more:
            self.tries += 1
            yield candidate


def _gated(decoder: _Scripted) -> Any:
    (gated,) = next(decode(decoder, [Clip(0, Chunk(0, 10, ((0, 10),)), None)], "en", 4))  # type: ignore[arg-type]
    return gated


def test_a_stretch_that_fails_is_decoded_again_until_it_passes() -> None:
    passes = Decoded("What was really said, in ten seconds or a little less.", -0.4, 0.0, 0.4)
    decoder = _Scripted(Decoded("so so so " * 30, -0.1, 0.0), Decoded("", -0.1, 0.0, 0.2), passes, Decoded("no", 0, 0))
    gated = _gated(decoder)
    assert (gated.decoded, gated.flags, gated.again) == (passes, [], True)
    assert decoder.tries == 2
    assert not _gated(_Scripted(passes)).again


def test_what_still_fails_is_kept_and_flagged() -> None:
    first, unsure = (
        Decoded("so so so " * 30, -1.4, 0.0),
        Decoded("words that may be wrong, all of them", -1.1, 0.0, 0.6),
    )
    gated = _gated(_Scripted(first, unsure, Decoded("words that are worse than those before", -1.3, 0.0, 0.8)))
    assert (gated.decoded, gated.flags) == (unsure, ["unsure"])


def test_doubtful_words_are_not_given_up_for_silence() -> None:
    first = Decoded("words that may be wrong, all of them", -1.1, 0.0)
    gated = _gated(_Scripted(first, *[Decoded("", -0.1, 0.9, 0.2)] * 5))
    assert (gated.decoded, gated.flags) == (first, ["unsure"])
