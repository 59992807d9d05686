"""Which containers may be opened: those of real audio and video, told from playlists that name other files.

A playlist under a harmless name made ffmpeg read other files and addresses (HLS, ffconcat, DASH), so what a
file is comes from its first bytes and from this list, never from its name. Used by PyAV (`probe`) and by
ffmpeg alike.
"""

from __future__ import annotations

from pathlib import Path

from channelscribe.errors import CorruptMedia, EmptyMedia

__all__ = ["DEMUXERS", "PROTOCOLS", "refuse_playlists"]

# libavformat's names; one name of a group ("mov,mp4,m4a,…") stands for all of it.
DEMUXERS = (
    "aac,ac3,eac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,flac,flv,matroska,mov,mp3,mpc,mpc8,"
    "mpeg,mpegts,oga,ogg,oma,tak,tta,voc,w64,wav,wv,xwma"
)
PROTOCOLS = "file,pipe"

_HEAD_BYTES = 4096
_PLAYLISTS = (
    b"#EXTM3U",
    b"ffconcat",
    b"<?xml",
    b"<MPD",
    b"<smil",
    b"<rss",
    b"<html",
    b"<!doctype",
    b"[playlist]",
    b"v=0",
)


def refuse_playlists(path: Path) -> None:
    """Raises EmptyMedia for a file of 0 bytes, CorruptMedia for one that is text pointing at other files."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise EmptyMedia("The file is empty (0 bytes).")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if any(start.startswith(mark.lower()) for mark in _PLAYLISTS):
        raise CorruptMedia("The file is a playlist or a page, not audio or video.")
