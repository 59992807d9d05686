"""ffmpeg's arguments for the files that are kept. Pure: strings in, strings out.

`ON_TIMELINE` keeps what ffmpeg would otherwise close up: sound that starts after the picture, and gaps,
become silence, so that second t stays second t of the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from channelscribe.audio.probe import Probe
from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.settings.audio import ConvertOptions

__all__ = [
    "LEVELS",
    "ON_TIMELINE",
    "TO_SPEECH",
    "archive_bytes_per_second",
    "archive_layout",
    "archive_output",
    "archive_rate",
    "copied_output",
    "copied_suffix",
    "speech_output",
]

ON_TIMELINE = "aresample=async=1:first_pts=0"
TO_SPEECH = f"aformat=channel_layouts=mono,aresample={SAMPLE_RATE},aformat=sample_fmts=s16"
LEVELS = "astats=measure_perchannel=RMS_level:measure_overall=none"
"""How loud each channel is, into ffmpeg's log when it is done."""

# The same source and options give the same bytes: no encoder versions, nothing of the source's own tags.
_REPRODUCIBLE = ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
# The container for a track that is kept as it came: its codec's own, else Matroska, which takes nearly all.
_CONTAINERS = {"mp3": ("mp3", "mp3"), "aac": ("m4a", "ipod"), "opus": ("opus", "opus"), "vorbis": ("ogg", "ogg")}
_MATROSKA = ("mka", "matroska")
_MOST_MP3_BYTES = 40_000  # a second: 320 kbit/s


def speech_output(label: str, path: Path) -> list[str]:
    """The FLAC, from a filter output `label` that went through `TO_SPEECH`."""
    return ["-map", label, *_REPRODUCIBLE, "-c:a", "flac", "-f", "flac", f"file:{path.absolute()}"]


def archive_output(
    label: str, path: Path, options: ConvertOptions, tags: Mapping[str, str], room: int = 0
) -> list[str]:
    """The archive from the filter output `label`. An mp3 gets `room` bytes for its tags, the others get the tags."""
    codec = {
        "mp3": [
            "-c:a",
            "libmp3lame",
            *_mp3_rate(options),
            "-id3v2_version",
            "3",
            "-metadata_header_padding",
            str(room),
        ],
        "opus": ["-c:a", "libopus", "-b:a", f"{options.bitrate_kbps}k"],
        "flac": ["-c:a", "flac", "-sample_fmt", "s16"],
        "wav": ["-c:a", "pcm_s16le", "-rf64", "auto"],  # RF64: a wav ends at 4 GiB, 6 hours of stereo
    }[options.format]
    named = [] if options.format == "mp3" else _named(tags)
    return ["-map", label, *_REPRODUCIBLE, *codec, *named, "-f", options.format, f"file:{path.absolute()}"]


def copied_suffix(source: Probe) -> str:
    """The file name's end for a track that is kept as it came."""
    return _container(source)[0]


def copied_output(path: Path, source: Probe, tags: Mapping[str, str]) -> list[str]:
    """The source's own track, not encoded anew."""
    named = ["-map", "0:a:0", *_REPRODUCIBLE, "-c:a", "copy", *_named(tags)]
    return [*named, "-f", _container(source)[1], f"file:{path.absolute()}"]


def archive_layout(source: Probe, options: ConvertOptions) -> str:
    """The filter to the wanted channels; by default one stays one and more than two are mixed down to two."""
    mono = options.channels == "mono" or (options.channels == "source" and source.channels == 1)
    return f"aformat=channel_layouts={'mono' if mono else 'stereo'}"


def archive_rate(source: Probe, options: ConvertOptions) -> str:
    """The filter to the wanted rate; by default 44.1 or 48 kHz, whichever is of the source's family."""
    return f"aresample={_rate(source, options)}"


def archive_bytes_per_second(source: Probe, options: ConvertOptions) -> float:
    """The most that a second of the archive takes."""
    if options.format == "opus" or (options.format == "mp3" and options.vbr_quality is None):
        return options.bitrate_kbps * 1000 / 8 * 1.1
    return _MOST_MP3_BYTES if options.format == "mp3" else _rate(source, options) * 2 * 2


def _rate(source: Probe, options: ConvertOptions) -> int:
    if options.sample_rate is not None:
        return options.sample_rate
    of_cd = source.sample_rate and source.sample_rate % 11_025 == 0 and options.format != "opus"
    return 44_100 if of_cd else 48_000


def _mp3_rate(options: ConvertOptions) -> list[str]:
    constant = ["-b:a", f"{options.bitrate_kbps}k"]
    return constant if options.vbr_quality is None else ["-q:a", str(options.vbr_quality)]


def _container(source: Probe) -> tuple[str, str]:
    return _CONTAINERS.get((source.codec or "").removesuffix("float"), _MATROSKA)


def _named(tags: Mapping[str, str]) -> list[str]:
    return [part for name, value in tags.items() for part in ("-metadata", f"{name}={value}")]
