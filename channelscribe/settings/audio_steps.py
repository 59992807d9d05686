"""Which audio steps go together, and in which order. Wrong ones are refused before anything is fetched.

The order means something: the loudness is that of the channels that `convert` left, one gain holds for all parts, and
`trim` before `split` shortens the whole, after it each part. Raises pydantic's error, which `settings.registry` turns
into InvalidSetting; its text ends with the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from channelscribe.settings.options import AudioOptions

__all__ = ["by_comma", "ordered", "refuse_combinations"]

_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # https://www.rfc-editor.org/rfc/rfc6716, section 2
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # MPEG 1, 2 and 2.5, layer III


def by_comma(value: Any) -> Any:
    """`convert,trim` as environments and command lines write it; lists stay what they are."""
    if value is None:
        return ()
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def ordered(steps: tuple[str, ...]) -> tuple[str, ...]:
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


def refuse_combinations(audio: AudioOptions) -> None:
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
