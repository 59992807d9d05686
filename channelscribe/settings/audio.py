"""What is made of a download: which steps, in which order, and how. Wrong ones are refused before anything is fetched.

The order means something: the loudness is that of the channels that `convert` left, one gain holds for all parts, and
`trim` before `split` shortens the whole, after it each part. A refusal is pydantic's error, which `settings.registry`
turns into InvalidSetting; its text ends with the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from channelscribe.settings.base import Options, by_comma

__all__ = ["AudioOptions", "ConvertOptions", "NormalizeOptions", "SilenceOptions", "SplitOptions", "TrimOptions"]

_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # https://www.rfc-editor.org/rfc/rfc6716, section 2
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # MPEG 1, 2 and 2.5, layer III


def _ordered(steps: tuple[str, ...]) -> tuple[str, ...]:
    """The steps themselves, if each is there once and none stands where it could not do its work."""
    for step in steps:
        if steps.count(step) > 1:
            _refuse(f"{step} is named twice", "name each step once")
    if "normalize" not in steps:
        return steps
    if "convert" not in steps:
        _refuse("normalize needs convert, since a gain means encoding anew", "put convert before it")
    if _before(steps, "normalize", "convert"):
        _refuse("convert after normalize would change the loudness again", "put convert first")
    if _before(steps, "split", "normalize"):
        _refuse("normalize after split would give each part a gain of its own", "put normalize before split")
    return steps


class ConvertOptions(Options):
    """The archive's format. `vbr_quality` is LAME's -V scale."""

    format: Literal["mp3", "opus", "flac", "wav"] = Field(
        "mp3", description="format of the archive: mp3, opus, flac, wav"
    )
    bitrate_kbps: int = Field(96, ge=16, le=320, description="bit rate of mp3 (constant) and opus, kbit/s")
    vbr_quality: int | None = Field(
        None, ge=0, le=9, description="mp3 of variable bit rate: 0 best, 9 smallest; empty: constant"
    )
    channels: Literal["source", "mono", "stereo"] = Field(
        "source", description="channels of the archive: mono, stereo or source (where more than two become two)"
    )
    sample_rate: int | None = Field(
        None, ge=8000, le=48000, description="hertz of the archive; empty: 44100 or 48000, as suits the source"
    )


class NormalizeOptions(Options):
    target_lufs: float = Field(-16.0, ge=-40, le=-5, description="integrated loudness of the archive, LUFS")
    true_peak_db: float = Field(-1.5, ge=-9, le=0, description="highest true peak of the archive, dBTP")


class SilenceOptions(Options):
    level_db: float = Field(-50.0, ge=-90, le=-20, description="sound that stays below this is silence, dBFS")
    seconds: float = Field(0.5, ge=0.1, le=60, description="shorter silences are not looked at")


Tracks = Literal["speech", "archive", "both"]


class TrimOptions(Options):
    of: Tracks = Field("speech", description="what loses the silence at its ends: speech, archive or both")
    keep_seconds: float = Field(0.3, ge=0, le=60, description="silence that is left at each end")


class SplitOptions(Options):
    of: Tracks = Field("archive", description="what gets parts beside the whole: archive, speech or both")
    at: Literal["silences", "length", "chapters"] = Field(
        "silences", description="where to cut: silences, length (every max_minutes) or the site's chapters"
    )
    max_minutes: float = Field(60.0, ge=0.05, le=1440, description="no part is longer")
    search_seconds: float = Field(60.0, ge=1, le=300, description="how far around an even cut a pause is looked for")
    vad: bool = Field(
        False, description="where nothing is silent, ask a voice activity detector for a pause (extra `speech`)"
    )


AudioStep = Literal["convert", "normalize", "trim", "split"]


class AudioOptions(Options):
    """What is made of a download."""

    steps: Annotated[tuple[AudioStep, ...], BeforeValidator(by_comma), AfterValidator(_ordered)] = Field(
        ("convert", "normalize"),
        description="what is done, in this order: convert, normalize, trim, split; each can be left out",
    )
    convert: ConvertOptions = ConvertOptions()
    normalize: NormalizeOptions = NormalizeOptions()
    silence: SilenceOptions = SilenceOptions()
    trim: TrimOptions = TrimOptions()
    split: SplitOptions = SplitOptions()
    time_limit_factor: float = Field(
        1.0, gt=0, description="wall-clock limit of one ffmpeg run, as a multiple of the media's length (+60 s)"
    )

    @model_validator(mode="after")
    def _together(self) -> AudioOptions:
        _refuse_combinations(self)
        return self


def _refuse_combinations(audio: AudioOptions) -> None:
    """Raises for options that contradict each other, whether or not their step is switched on, except `of`."""
    convert = audio.convert
    if convert.vbr_quality is not None and convert.format != "mp3":
        _refuse(f"convert.vbr_quality is for mp3, not for {convert.format}", "leave it empty")
    rates = {"mp3": _MP3_RATES, "opus": _OPUS_RATES}.get(convert.format)
    if convert.sample_rate is not None and rates is not None and convert.sample_rate not in rates:
        known = ", ".join(map(str, rates))
        _refuse(f"convert.sample_rate {convert.sample_rate} is none of {convert.format}'s", f"take one of {known}")
    if "convert" not in audio.steps:
        for step, of in (("trim", audio.trim.of), ("split", audio.split.of)):
            if step in audio.steps and of != "speech":
                _refuse(
                    f"{step}.of {of} needs the step convert, since a copied track cannot be cut at a sample",
                    f"add convert, or set audio.{step}.of to speech",
                )


def _before(steps: Sequence[str], one: str, other: str) -> bool:
    return one in steps and other in steps and steps.index(one) < steps.index(other)


def _refuse(what: str, remedy: str) -> None:
    raise PydanticCustomError("audio_steps", "{what}: {remedy}", {"what": what, "remedy": remedy})
