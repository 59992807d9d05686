"""What a player shows: title, channel, date, source URL and cover.

ffmpeg writes an mp3's comment as a TXXX frame, which players do not show, and has no frame for an address. So it leaves
room in front of the sound (`-metadata_header_padding`) and the ID3v2.3 tag is written there, in place.
Frames: https://id3.org/id3v2.3.0.

Recordings that are kept in their own container (`channelscribe download`) get theirs by mutagen, in place: ID3 (mp3,
wav, aiff), MP4, Ogg, Opus and FLAC. WebM and Matroska, which it does not know, are copied by ffmpeg, without a cover.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mutagen
from mutagen import flac as flac_of_mutagen
from mutagen import id3 as id3_of_mutagen
from mutagen import mp4 as mp4_of_mutagen

from channelscribe.audio.ffmpeg import AUDIO_INPUT, run_ffmpeg
from channelscribe.errors import CorruptMedia, MediaError

__all__ = ["TAGS", "id3_frames", "printable_tags", "tag_file", "write_id3"]

TAGS = ("title", "artist", "album", "date", "comment", "url", "track")
_LONGEST_TAG = 4000  # characters; the arguments of a process have a limit
_TEXT_FRAMES = {"title": "TIT2", "artist": "TPE1", "album": "TALB", "track": "TRCK"}
_HEADER = 10  # bytes, of the tag and of each frame
_FRONT_COVER = 3
# It has no types.
id3: Any = id3_of_mutagen
flac: Any = flac_of_mutagen
mp4: Any = mp4_of_mutagen

_MATROSKA = (".webm", ".mkv", ".mka", ".weba")
_COPY_SECONDS = 300.0
_FRAMES = {"title": id3.TIT2, "artist": id3.TPE1, "album": id3.TALB, "date": id3.TDRC, "season": id3.TPOS,
           "episode": id3.TRCK}  # fmt: skip
_ATOMS = {"title": "\xa9nam", "artist": "\xa9ART", "album": "\xa9alb", "date": "\xa9day"}
_NUMBERS = {"season": "tvsn", "episode": "tves"}
_COMMENTS = {"title": "title", "artist": "artist", "album": "album", "date": "date", "season": "discnumber",
             "episode": "tracknumber", "url": "url"}  # fmt: skip

_WHOLE = AUDIO_INPUT[:-3]  # pictures and texts stay in

_log = logging.getLogger(__name__)


def printable_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags are data of strangers: no NUL (it would end an argument), no other control characters but line ends.

    An address is the comment too, for players that show only that. Raises KeyError for an unknown tag.
    """
    for name in tags:
        if name not in TAGS:
            raise KeyError(name)
    kept = {name: _printable(value) for name, value in tags.items() if value}
    return {"comment": kept["url"], **kept} if "url" in kept else kept


def id3_frames(tags: Mapping[str, str], cover: bytes | None) -> bytes:
    """The frames of `printable_tags`, and of a JPEG."""
    frames = [_frame(_TEXT_FRAMES[name], _text(value)) for name, value in tags.items() if name in _TEXT_FRAMES]
    if day := re.fullmatch(r"(\d{4})(?:-?(\d\d)-?(\d\d))?.*", tags.get("date", "")):
        frames.append(_frame("TYER", _text(day[1])))
        if day[2]:
            frames.append(_frame("TDAT", _text(day[3] + day[2])))
    if comment := tags.get("comment"):
        frames.append(_frame("COMM", b"\x01eng" + _utf16("") + b"\0\0" + _utf16(comment)))
    if url := tags.get("url"):
        frames.append(_frame("WOAS", quote(url, safe="/:?#[]@!$&'()*+,;=%~").encode("ascii")))
    if cover:
        frames.append(_frame("APIC", b"\0image/jpeg\0" + bytes([_FRONT_COVER]) + b"\0" + cover))
    return b"".join(frames)


def write_id3(path: Path, frames: bytes) -> None:
    """Puts `frames` into the tag that `path` begins with, in place. Raises CorruptMedia where there is no room."""
    with path.open("r+b") as file:
        header = file.read(_HEADER)
        room = sum(byte << shift for byte, shift in zip(header[6:10], (21, 14, 7, 0), strict=False))
        if header[:5] != b"ID3\x03\x00" or room < len(frames):
            raise CorruptMedia(f"{path.name} has no room for its tags.", remedy="Prepare the audio again.")
        file.write(frames + bytes(room - len(frames)))


def _frame(name: str, content: bytes) -> bytes:
    return name.encode("ascii") + len(content).to_bytes(4, "big") + b"\0\0" + content


def _text(value: str) -> bytes:
    return b"\x01" + _utf16(value)


def _utf16(value: str) -> bytes:
    return b"\xff\xfe" + value.encode("utf-16-le")


def _printable(value: str) -> str:
    kept = "".join(char for char in value[:_LONGEST_TAG] if char == "\n" or char >= " ")
    return kept.encode("utf-8", "replace").decode()


def tag_file(path: Path, tags: Mapping[str, str], cover: bytes | None = None) -> bool:
    """Writes the tags that have a value (title, artist, album, date, season, episode, url) and a JPEG.

    Returns whether the file can have any; one that cannot, or is broken, stays as it is.
    """
    known = {name: _printable(value) for name, value in tags.items() if value}
    try:
        if path.suffix.lower() in _MATROSKA:
            return _by_ffmpeg(path, known)
        file: Any = mutagen.File(path)
        if file is None:
            return False
        if file.tags is None:
            file.add_tags()
        _write(file, known, cover)
        file.save()
    except (mutagen.MutagenError, MediaError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        _log.info("%s has no tags: %s", path.name, error)
        return False
    return True


def _write(file: Any, tags: Mapping[str, str], cover: bytes | None) -> None:
    if isinstance(file.tags, id3.ID3):
        _id3(file.tags, tags, cover)
    elif isinstance(file, mp4.MP4):
        for name, atom in _ATOMS.items():
            if name in tags:
                file[atom] = [tags[name]]
        for name, atom in _NUMBERS.items():
            if tags.get(name, "").isdigit():
                file[atom] = [int(tags[name])]
        if cover and "covr" not in file:
            file["covr"] = [mp4.MP4Cover(cover, mp4.MP4Cover.FORMAT_JPEG)]
    else:
        for name, comment in _COMMENTS.items():
            if name in tags:
                file[comment] = [tags[name]]
        _picture(file, cover)


def _id3(found: Any, tags: Mapping[str, str], cover: bytes | None) -> None:
    """https://id3.org/id3v2.4.0-frames"""
    for name, frame in _FRAMES.items():
        if name in tags:
            found.setall(frame.__name__, [frame(encoding=3, text=[tags[name]])])
    if "url" in tags:
        found.setall("WOAS", [id3.WOAS(url=tags["url"])])
    if cover and not found.getall("APIC"):
        found.add(id3.APIC(encoding=0, mime="image/jpeg", type=_FRONT_COVER, data=cover))


def _picture(file: Any, cover: bytes | None) -> None:
    """https://wiki.xiph.org/VorbisComment#METADATA_BLOCK_PICTURE"""
    if not cover:
        return
    picture = flac.Picture()
    picture.type, picture.mime, picture.data = _FRONT_COVER, "image/jpeg", cover
    if isinstance(file, flac.FLAC):
        if not file.pictures:
            file.add_picture(picture)
    elif "metadata_block_picture" not in file:
        file["metadata_block_picture"] = [base64.b64encode(picture.write()).decode("ascii")]


def _by_ffmpeg(path: Path, tags: Mapping[str, str]) -> bool:
    made = path.with_name(f".{path.name}.tagged{path.suffix}")
    pairs = [word for name, value in tags.items() for word in ("-metadata", f"{name}={value}")]
    try:
        run_ffmpeg(path, ["-map", "0", "-c", "copy", *pairs, f"file:{made.absolute()}"], _COPY_SECONDS, opening=_WHOLE)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    return True
