"""What a player shows: title, channel, date, source URL and cover.

ffmpeg writes an mp3's comment as a TXXX frame, which players do not show, and has no frame for an address. So it leaves
room in front of the sound (`-metadata_header_padding`) and the ID3v2.3 tag is written there, in place.
Frames: https://id3.org/id3v2.3.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from channelscribe.errors import CorruptMedia

__all__ = ["TAGS", "id3_frames", "printable_tags", "write_id3"]

TAGS = ("title", "artist", "album", "date", "comment", "url", "track")
_LONGEST_TAG = 4000  # characters; the arguments of a process have a limit
_TEXT_FRAMES = {"title": "TIT2", "artist": "TPE1", "album": "TALB", "track": "TRCK"}
_HEADER = 10  # bytes, of the tag and of each frame
_FRONT_COVER = 3


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
