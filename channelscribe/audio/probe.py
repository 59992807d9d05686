"""What a media file says of itself, by PyAV: nothing is decoded, nothing but the file is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from channelscribe.audio.containers import DEMUXERS, PROTOCOLS, refuse_playlists
from channelscribe.errors import CorruptMedia, MediaError, MediaTimeout, NoAudioTrack, machine_fault

__all__ = ["Probe", "chapters_in", "probe"]

_SECONDS = 30.0  # of wall-clock time, to open a file and to read its head
_GUESSING = {"aac", "ac3", "amr", "dts", "eac3", "mp3", "mpeg", "mpegts", "oga"}


@dataclass(frozen=True, slots=True)
class Probe:
    """`duration` in seconds as the header tells it, `sound_seconds` that of the sound alone, where the header knows:
    it may begin later or end before the picture. `exact` is False where they are a guess from the bit rate.

    `sample_rate` in hertz, `bytes` the file's size, `container` libavformat's name of it, `chapters` (start in
    seconds, title), `tags` the file's own, names in lower case.
    """

    duration: float | None
    exact: bool
    has_audio: bool
    codec: str | None
    sample_rate: int
    channels: int
    container: str
    bytes: int
    chapters: tuple[tuple[float, str], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    sound_seconds: float | None = None


def probe(path: Path) -> Probe:
    """Looks at `path`.

    Raises MediaError (no such file), EmptyMedia (0 bytes), CorruptMedia (nothing that can be opened), MediaTimeout.
    """
    if not path.is_file():  # a pipe or a device would never end
        raise MediaError(f"{path.name} is not a file.", remedy="Check the path.", reason="no_such_file")
    refuse_playlists(path)
    try:
        with av.open(
            f"file:{path.absolute()}",
            options={"format_whitelist": DEMUXERS, "protocol_whitelist": PROTOCOLS},
            metadata_errors="ignore",
            timeout=_SECONDS,
        ) as container:
            audio = next(iter(container.streams.audio), None)
            name = container.format.name
            duration = container.duration / av.time_base if container.duration else None
            frames = _xing_seconds(path, audio.rate) if name == "mp3" and audio else None
            return Probe(
                duration=frames or duration,
                exact=frames is not None or name not in _GUESSING,
                has_audio=audio is not None,
                codec=audio.codec_context.name if audio else None,
                sample_rate=(audio.rate or 0) if audio else 0,
                channels=audio.channels if audio else 0,
                container=name,
                bytes=path.stat().st_size,
                chapters=tuple(_chapters(container)),
                tags={name.lower(): value for name, value in container.metadata.items()},
                sound_seconds=_end_of(audio) if audio and container.streams.video else None,
            )
    except av.error.ExitError as error:
        raise MediaTimeout(f"The file told nothing of itself within {_SECONDS:.0f} s.") from error
    except (av.FFmpegError, ValueError) as error:
        if found := machine_fault(error):
            raise found from error
        raise CorruptMedia(f"The file is no audio or video that can be opened ({_words(error)}).") from error


def chapters_in(path: Path) -> tuple[tuple[float, str], ...]:
    """The chapters that a file holds itself (ID3's CHAP; mp4, ogg, mkv); none of one that cannot be opened."""
    try:
        found = probe(path).chapters
    except MediaError:
        return ()
    return found if len(found) > 1 or any(title for _, title in found) else ()


def require_audio(found: Probe) -> None:
    """Raises NoAudioTrack for a video without sound."""
    if not found.has_audio:
        raise NoAudioTrack("There is no audio track in the file.", remedy="A silent video has no transcript.")


def _chapters(container: InputContainer) -> Iterator[tuple[float, str]]:
    for chapter in container.chapters():
        if chapter["time_base"]:
            title = chapter["metadata"].get("title", "")
            yield max(float(chapter["start"] * chapter["time_base"]), 0.0), title


def _end_of(stream: AudioStream) -> float | None:
    """When the stream ends, in seconds, where its header tells: mp4's does, Matroska's in a tag."""
    if stream.duration and stream.time_base:
        return float((stream.duration + max(stream.start_time or 0, 0)) * stream.time_base)
    tagged = re.fullmatch(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    return int(tagged[1]) * 3600 + int(tagged[2]) * 60 + float(tagged[3]) if tagged else None


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _xing_seconds(path: Path, rate: int | None) -> float | None:
    """The length that an mp3's Xing or Info header tells (frames times samples a frame), None without one.

    A cut mp3 decodes without a complaint; this header is the only thing in it that knows how long it was.
    Layout: http://gabriel.mp3-tech.org/mp3infotag.html.
    """
    with path.open("rb") as file:
        prefix = file.read(10)  # https://id3.org/id3v2.4.0-structure, section 3.1
        if prefix[:3] == b"ID3":
            size = sum(byte << shift for byte, shift in zip(prefix[6:10], (21, 14, 7, 0), strict=False))
            file.seek(10 + size)
        else:
            file.seek(0)
        head = file.read(4096)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or not rate or len(head) < at + 12 or not head[at + 7] & 1:
        return None
    frames = int.from_bytes(head[at + 8 : at + 12], "big")
    return frames * (1152 if rate >= 32000 else 576) / rate
