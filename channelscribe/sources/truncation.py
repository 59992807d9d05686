"""Whether a file ends where its container says, for downloads whose length nobody announced.

Reads headers only. MP3 and AAC have no end that could be missed; `audio.prepare` compares seconds, too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["is_cut"]

_OGG_PAGE = 65307  # bytes, the largest: https://www.rfc-editor.org/rfc/rfc3533, section 6
_END_OF_STREAM = 4
_UNKNOWN_SIZE = 0xFFFFFFFF  # encoders that write to a pipe leave it so
_BOXES = 10_000


def is_cut(path: Path) -> bool:
    """Whether WAV, Ogg or MP4 end before their own end. False for what cannot be told."""
    with path.open("rb") as file:
        head = file.read(12)
        size = os.fstat(file.fileno()).st_size
        if head[:4] == b"RIFF":
            return _wav(head, size)
        if head[:4] == b"OggS":
            return _ogg(file, size)
        return _mp4(file, size) if head[4:8] == b"ftyp" else False


def _wav(head: bytes, size: int) -> bool:
    """RIFF tells the bytes after its first eight."""
    told = int.from_bytes(head[4:8], "little")
    return told not in (0, _UNKNOWN_SIZE, _UNKNOWN_SIZE - 8) and told + 8 > size + 1  # an odd one may lack its pad


def _ogg(file: BinaryIO, size: int) -> bool:
    """The last page must be there to its end and be marked as the last."""
    file.seek(max(0, size - _OGG_PAGE - 27))
    tail = file.read()
    start = tail.rfind(b"OggS")
    page = tail[start:]
    if start < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return True
    whole = 27 + page[26] + sum(page[27 : 27 + page[26]])
    return len(page) < whole or not page[5] & _END_OF_STREAM


def _mp4(file: BinaryIO, size: int) -> bool:
    """Boxes follow one another to the end: https://www.iso.org/standard/83102.html, section 4.2."""
    at = 0
    for _ in range(_BOXES):
        if at >= size:
            return at > size
        file.seek(at)
        head = file.read(16)
        told = int.from_bytes(head[:4], "big")
        if told == 1:
            told = int.from_bytes(head[8:16], "big")
        if told == 0:  # to the end of the file, wherever that is
            return False
        if len(head) < 8 or told < 8:
            return True
        at += told
    return False
