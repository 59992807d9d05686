"""Which steps go together, and what the cache key makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from channelscribe.audio.prepare import prepare_key
from channelscribe.errors import InvalidSetting
from channelscribe.settings.audio import AudioOptions
from channelscribe.settings.registry import SettingsRegistry


def audio(**given: Any) -> AudioOptions:
    return SettingsRegistry(environ={}, folder=Path("/"), run={"audio": given}).resolve().audio


def test_the_defaults_are_the_archive_and_the_whole_speech_track() -> None:
    assert audio() == AudioOptions()
    assert audio().steps == ("convert", "normalize")
    assert (audio().convert.format, audio().convert.bitrate_kbps, audio().trim.of) == ("mp3", 96, "speech")


@pytest.mark.parametrize("written", ["convert, trim", "[convert, trim]", "{}"])
def test_steps_come_as_text_too(written: str) -> None:
    environ = {"CHANNELSCRIBE_AUDIO__STEPS": "[]" if written == "{}" else written}
    steps = SettingsRegistry(environ=environ, folder=Path("/")).resolve().audio.steps
    assert steps == (() if written == "{}" else ("convert", "trim"))


@pytest.mark.parametrize(
    "steps",
    ["", "convert", "trim", "convert,normalize,trim,split", "convert,trim,normalize,split", "trim,convert,split,trim"],
)
def test_each_step_can_be_left_out(steps: str) -> None:
    if steps.count("trim") > 1:
        with pytest.raises(InvalidSetting, match="named twice"):
            audio(steps=steps)
    else:
        assert ",".join(audio(steps=steps).steps) == steps


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": ["convert", "polish"]}, "audio.steps"),
        ({"steps": ["normalize"]}, "put convert before it"),
        ({"steps": ["normalize", "convert"]}, "put convert first"),
        ({"steps": ["convert", "split", "normalize"]}, "put normalize before split"),
        ({"steps": ["split"]}, "set audio.split.of to speech"),
        ({"steps": ["trim"], "trim": {"of": "both"}}, "set audio.trim.of to speech"),
        ({"convert": {"format": "opus", "vbr_quality": 2}}, "leave it empty"),
        ({"convert": {"format": "opus", "sample_rate": 44100}}, "48000"),
        ({"convert": {"format": "mp3", "sample_rate": 10000}}, "44100"),
        ({"split": {"max_minutes": 0}}, "audio.split.max_minutes"),
    ],
)
def test_bad_combinations_are_refused_with_a_remedy(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        audio(**given)
    assert says in str(caught.value) and "audio" in str(caught.value) and caught.value.remedy


def test_the_key_forgets_what_has_no_effect() -> None:
    assert prepare_key(audio()) == prepare_key(audio(trim={"keep_seconds": 9}, time_limit_factor=9))
    assert prepare_key(audio()) == prepare_key(audio(silence={"level_db": -30}))
    trimming = audio(steps="convert,trim")
    assert prepare_key(trimming) != prepare_key(audio(steps="convert,trim", trim={"keep_seconds": 9}))
    assert prepare_key(trimming) != prepare_key(audio(steps="convert,trim", silence={"level_db": -30}))
    orders = ["convert,trim,split", "convert,split,trim"]
    assert len({prepare_key(audio(steps=order)) for order in orders}) == 2
