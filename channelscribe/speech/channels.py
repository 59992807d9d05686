"""Calls and interviews with a person a channel: taken apart, and their transcripts put together.

Needs ffmpeg. `separate` leaves a file for each channel in the folder that it is given, or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from channelscribe.audio.ffmpeg import run_ffmpeg
from channelscribe.audio.probe import probe
from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ChannelscribeError
from channelscribe.transcript import Segment, Transcript, Turn

__all__ = ["merged", "separate"]

_LEAST_SECONDS, _UNKNOWN_SECONDS = 60.0, 36_000.0  # of wall clock for ffmpeg, which is much quicker than real time
_FRAME = SAMPLE_RATE // 20  # 50 ms
_BLOCK_FRAMES = 1200  # a minute of sound in memory
_QUIET = 10 ** (-50 / 20)  # full scale is 1: below -50 dB nobody speaks
_APART = 10 ** (12 / 20)  # 12 dB: one voice in its own channel, another's crosstalk is fainter
_ALONE, _EACH = 0.8, 0.1  # of the loud frames: in which one channel is that much louder; and each channel's share


def separate(source: Path, folder: Path, name: str, wanted: Literal["auto", "mix", "split"]) -> list[Path]:
    """A 16 kHz FLAC file of each channel where the source has two and they are wanted apart, or with `auto` hold
    different voices; none else, and none where it cannot be read, which preparing it will tell.
    """
    if wanted == "mix":
        return []
    files = [folder / f"{name}.channel{channel}.flac" for channel in range(2)]
    try:
        found = probe(source)
        if found.channels != 2:
            return []
        made = [
            option
            for channel, file in enumerate(files)
            for option in ("-map", "0:a:0", "-af", f"pan=mono|c0=c{channel},aresample={SAMPLE_RATE}",
                           "-sample_fmt", "s16", f"file:{file.absolute()}")
        ]  # fmt: skip
        run_ffmpeg(source, made, _LEAST_SECONDS + (found.duration or _UNKNOWN_SECONDS))
        if wanted == "split" or _hold_different_voices(files):
            return files
    except (ChannelscribeError, OSError, soundfile.SoundFileError):
        pass  # preparing the whole meets it again, and tells
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)
    return []


def _hold_different_voices(files: Sequence[Path]) -> bool:
    """Whether mostly one channel alone is loud, now this one and now that."""
    left, right = (_levels(file) for file in files)
    frames = min(len(left), len(right))
    left, right = left[:frames], right[:frames]
    loud = np.maximum(left, right) > _QUIET
    first, second = (left > _APART * right) & loud, (right > _APART * left) & loud
    total = max(1, int(loud.sum()))
    shares = first.sum() / total, second.sum() / total
    return bool(sum(shares) >= _ALONE and min(shares) >= _EACH)


def _levels(file: Path) -> NDArray[np.float64]:
    """The root mean square of each whole frame."""
    found = [
        np.sqrt(np.square(block[: len(block) // _FRAME * _FRAME].reshape(-1, _FRAME), dtype=np.float64).mean(axis=1))
        for block in soundfile.blocks(file, blocksize=_BLOCK_FRAMES * _FRAME, dtype="float32")
    ]
    return np.concatenate(found) if found else np.zeros(0)


def merged(parts: Sequence[Transcript]) -> Transcript:
    """The channels' transcripts as one: speakers CHANNEL_1, CHANNEL_2, …, turns where each channel's speech is.

    The language is that of most words; the coverage that of all speech together.
    """
    names = [f"CHANNEL_{number}" for number in range(1, len(parts) + 1)]
    spoken: Counter[str] = Counter()
    for part in parts:
        spoken[part.language] += sum(len(segment.words) for segment in part.segments if segment.language is None)
    main = spoken.most_common(1)[0][0]
    segments = [
        _of(segment, name, part.language, main)
        for part, name in zip(parts, names, strict=True)
        for segment in part.segments
    ]
    turns = [
        Turn(start, end, name)
        for part, name in zip(parts, names, strict=True)
        for start, end in part.quality.get("speech", ())
    ]
    return Transcript(
        main,
        max(part.duration for part in parts),
        sorted(segments, key=lambda each: (each.start, each.end)),
        sorted(turns, key=lambda each: (each.start, each.end)),
        parts[0].models | {"diarizer": {"name": "channels", "model": "channels"}},
        all(part.no_speech for part in parts),
        _quality(parts),
        {name: _added([part.stages[name] for part in parts if name in part.stages]) for name in parts[0].stages},
    )


def _of(segment: Segment, speaker: str, language: str, main: str) -> Segment:
    own = segment.language or language
    words = [replace(word, speaker=speaker) for word in segment.words]
    return replace(segment, speaker=speaker, words=words, language=own if own != main else None)


_COUNTS = ("decoded_again", "flagged", "speech_seconds", "covered_seconds")
_STRETCHES = ("speech", "unheard", "gaps")


def _quality(parts: Sequence[Transcript]) -> dict[str, Any]:
    found = dict(parts[0].quality)
    for name in _COUNTS:
        if known := [part.quality[name] for part in parts if part.quality.get(name) is not None]:
            found[name] = round(sum(known), 3)
    for name in _STRETCHES:
        found[name] = sorted(list(each) for part in parts for each in part.quality.get(name) or ())
    speech, covered = found.get("speech_seconds"), found.get("covered_seconds")
    if all(part.quality.get("coverage") is not None or part.no_speech for part in parts) and speech:
        found["coverage"] = round(float(covered or 0.0) / float(speech), 4)
    else:
        found["coverage"] = None
    notes = [part.quality["note"] for part in parts if part.quality.get("note")]
    found["note"] = "; ".join(dict.fromkeys([*notes, "each channel was recognized alone"]))
    return found


def _added(stages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One stage of all channels: seconds together, all else as the first tells it."""
    found = dict(stages[0])
    found["seconds"] = round(sum(float(each["seconds"]) for each in stages), 3)
    if "real_time_factor" in found:
        found["real_time_factor"] = round(float(found["real_time_factor"]) / len(stages), 2)
    return found
