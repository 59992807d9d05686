"""ffmpeg's arguments for the two files that are kept. Pure: strings in, strings out.

`ON_TIMELINE` keeps what ffmpeg would otherwise close up: sound that starts after the picture, and gaps,
become silence, so that second t stays second t of the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from channelscribe.audio.probe import Probe
from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.settings.options import AudioOptions

__all__ = ["ON_TIMELINE", "TO_SPEECH", "archive_layout", "archive_output", "archive_rate", "speech_output"]

ON_TIMELINE = "aresample=async=1:first_pts=0"
TO_SPEECH = f"aformat=channel_layouts=mono,aresample={SAMPLE_RATE},aformat=sample_fmts=s16"

TAGS = ("title", "artist", "album", "date", "comment")
_LONGEST_TAG = 4000  # characters; the arguments of a process have a limit
# The same source and options give the same bytes: no encoder versions, nothing of the source's own tags.
_REPRODUCIBLE = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]


def speech_output(label: str, path: Path) -> list[str]:
    """The FLAC, from a filter output `label` that went through `TO_SPEECH`."""
    return ["-map", label, *_REPRODUCIBLE, "-c:a", "flac", "-f", "flac", f"file:{path.absolute()}"]


def archive_output(label: str, path: Path, options: AudioOptions, tags: Mapping[str, str]) -> list[str]:
    """The mp3 with ID3v2.3 tags, from the stream or filter output `label`. Raises KeyError for an unknown tag."""
    arguments = ["-map", label, *_REPRODUCIBLE, "-c:a", "libmp3lame", "-b:a", f"{options.archive_bitrate_kbps}k"]
    for name, value in tags.items():
        if name not in TAGS:
            raise KeyError(name)
        arguments += ["-metadata", f"{name}={_printable(value)}"]
    return [*arguments, "-id3v2_version", "3", "-f", "mp3", f"file:{path.absolute()}"]


def archive_layout(source: Probe) -> str:
    """The filter that leaves one channel as it is and mixes more than two down to two."""
    return f"aformat=channel_layouts={'mono' if source.channels == 1 else 'stereo'}"


def archive_rate(source: Probe) -> str:
    """The filter to 44.1 or 48 kHz, whichever is of the source's family."""
    return f"aresample={44_100 if source.sample_rate and source.sample_rate % 11_025 == 0 else 48_000}"


def _printable(value: str) -> str:
    """Tags are data of strangers: no NUL (it would end an argument), no other control characters but line ends."""
    kept = "".join(char for char in value[:_LONGEST_TAG] if char == "\n" or char >= " ")
    return kept.encode("utf-8", "replace").decode()
