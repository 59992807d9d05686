"""How much a file may take: room on the disk before the start, and seconds while it is decoded."""

from __future__ import annotations

import shutil
from pathlib import Path

from channelscribe.audio.encoding import archive_bytes_per_second
from channelscribe.audio.plan import is_cut
from channelscribe.audio.probe import Probe
from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import StoreNotWritable
from channelscribe.settings.audio import AudioOptions

__all__ = ["expected_seconds", "likely_bytes", "longest_seconds", "needed_bytes", "refuse_without_room"]

_SPEECH_BYTES = SAMPLE_RATE * 2  # a second; FLAC never takes more than the samples themselves, and a little
_RESERVE_BYTES = 32_000_000
_LEAST_BYTES_PER_SECOND = 1000.0  # to guess a length where none is told: 8 kbit/s
_LIKELY_BYTES_PER_SECOND = 4000.0
# Of a site's usual audio (128 kbit/s), of a speech track as FLAC, and of uncompressed sound (44.1 kHz, stereo).
_LIKELY_ORIGINAL, _LIKELY_SPEECH, _CD_BYTES = 16_000, 16_000, 176_400


def expected_seconds(found: Probe, announced: float | None) -> float:
    """What the site or the header tells, whichever is more; else the most that so many bytes could be."""
    told = [seconds for seconds in (announced, found.duration) if seconds]
    return max(told, default=found.bytes / _LEAST_BYTES_PER_SECOND)


def longest_seconds(found: Probe, announced: float | None) -> float:
    """What no honest file exceeds: headers are rounded, and where they only guess, the bytes set the limit."""
    expected = expected_seconds(found, announced)
    guess = 0.0 if found.exact else found.bytes / _LEAST_BYTES_PER_SECOND
    return max(expected * 1.1 + 60, guess)


def needed_bytes(found: Probe, announced: float | None, options: AudioOptions) -> int:
    """What the made files take at most, while they are made."""
    told = [seconds for seconds in (announced, found.duration) if seconds]
    seconds = max(told, default=found.bytes / _LIKELY_BYTES_PER_SECOND)
    speech = 1 + is_cut("trim", "speech", options) + is_cut("split", "speech", options)
    archive = 1 + is_cut("split", "archive", options)
    copied = "convert" not in options.steps
    archives = found.bytes if copied else archive * seconds * archive_bytes_per_second(found, options.convert)
    return int(speech * seconds * _SPEECH_BYTES + archives) + _RESERVE_BYTES


def likely_bytes(seconds: float, options: AudioOptions) -> int:
    """What a video of so many seconds will have taken at the end: its original, its archive, its speech track."""
    archive = options.convert.bitrate_kbps * 125 if options.convert.format in ("mp3", "opus") else _CD_BYTES
    return int(seconds * (_LIKELY_ORIGINAL + archive + _LIKELY_SPEECH))


def refuse_without_room(folder: Path, needed: int, what: str = "Preparing this file") -> None:
    """Raises StoreNotWritable where `folder`'s disk has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreNotWritable(
            f"{what} takes up to {_size(needed)}, and {_size(free)} are free on the disk of {folder}.",
            remedy="Free disk space, or work on a larger disk (data_dir, store.url).",
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
