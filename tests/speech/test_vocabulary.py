"""What is told to the recognizer before it hears, and how what it heard is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.settings import SpeechOptions
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.vocabulary import prompt, rewritten, suppressed


def _encode(text: str) -> list[int]:
    """A token a word."""
    return [int(word.strip(",")) for word in text.split()]


def test_words_come_first_and_the_end_of_a_prompt_last() -> None:
    options = SpeechOptions(hotwords="1", vocabulary=("2", "1", "3"), initial_prompt="8 9")
    assert prompt(options, _encode) == [1, 2, 3, 8, 9]
    assert prompt(SpeechOptions(), _encode) == []
    long = SpeechOptions(hotwords="7", initial_prompt=" ".join(map(str, range(500))))
    told = prompt(long, _encode)
    assert (len(told), told[0], told[-1]) == (223, 7, 499)
    assert len(prompt(SpeechOptions(hotwords=" ".join(["1"] * 500), initial_prompt="2"), _encode)) == 223


def test_numerals_are_never_said_where_they_are_not_wanted() -> None:
    names = ["a", " 1", "b2", "$", "%", "c"]
    decode = lambda tokens: names[tokens[0]]  # noqa: E731
    assert suppressed(SpeechOptions(suppress_numerals=True), decode, len(names)) == [-1, 1, 2, 3, 4]
    assert suppressed(SpeechOptions(), decode, len(names)) == [-1]


def _words(text: str) -> list[dict[str, Any]]:
    return [
        {"text": word, "start": float(place), "end": place + 0.5, "score": 0.9, "aligned": False}
        for place, word in enumerate(text.split())
    ]


@pytest.mark.parametrize(
    ("heard", "pairs", "written"),
    [
        ("We use confu i, daily.", {"confu i": "ComfyUI"}, "We use ComfyUI, daily."),
        ("Confu I is here", {"confu i": "ComfyUI"}, "ComfyUI is here"),
        ("a new yorker", {"new yorker": "New Yorker"}, "a New Yorker"),
        ("whisperx rocks", {"whisperx": "Whisper X"}, "Whisper X rocks"),
        ("nothing of it", {"confu i": "ComfyUI"}, "nothing of it"),
        ("", {"a": "b"}, ""),
    ],
)
def test_write_it_so(heard: str, pairs: dict[str, str], written: str) -> None:
    text, words = rewritten(heard, _words(heard), pairs, "en")
    assert text == written
    assert words is not None
    assert " ".join(word["text"] for word in words) == written
    assert all(one["start"] <= one["end"] for one in words)
    assert rewritten(heard, None, pairs, "en") == (written, None)


def test_without_spaces_only_the_text_is_told() -> None:
    words = _words("你 好")
    assert rewritten("你好", words, {"好": "号"}, "zh") == ("你号", None)
    assert rewritten("你好", words, {"早": "号"}, "zh") == ("你好", words)


@given(
    st.lists(st.sampled_from(["a", "b,", "(c)", "d"]), max_size=8), st.sampled_from([{}, {"a b": "x y z", "c": "q"}])
)
def test_times_stay_in_order(said: list[str], pairs: dict[str, str]) -> None:
    given_words = _words(" ".join(said))
    _, words = rewritten(" ".join(said), given_words, pairs, "en")
    assert words is not None
    starts = [word["start"] for word in words]
    assert starts == sorted(starts)
    if given_words:
        assert (words[0]["start"], words[-1]["end"]) == (given_words[0]["start"], given_words[-1]["end"])


def test_what_is_told_is_part_of_the_key_only_where_it_is_set() -> None:
    def recognizer(**options: Any) -> Any:
        chosen = SpeechOptions.model_validate({"model": "sample", "device": "cpu", **options})
        return resolve_model(chosen).fingerprint(chosen)["recognizer"]

    plain = recognizer()
    assert not {"task", "hotwords", "rewrite"} & set(plain)
    for told in (
        *({"hotwords": "ComfyUI"}, {"initial_prompt": "Hello."}, {"vocabulary": ["a"]}, {"rewrite": {"a": "b"}}),
        *({"task": "translate"}, {"suppress_numerals": True}),
    ):
        assert recognizer(**told) != plain
