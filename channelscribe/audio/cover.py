"""The cover from a thumbnail: a stranger's image, decoded by ffmpeg alone and never passed on as it came."""

from __future__ import annotations

import logging
from pathlib import Path

from channelscribe.audio.ffmpeg import run_ffmpeg
from channelscribe.errors import MediaError

__all__ = ["cover_jpeg"]

# The image's first bytes and ffmpeg's demuxer for it; no demuxer here knows of other files.
_KINDS = {b"\xff\xd8\xff": "jpeg_pipe", b"\x89PNG\r\n": "png_pipe", b"RIFF": "webp_pipe"}
_LARGEST_BYTES = 20_000_000
_LARGEST_PIXELS = 50_000_000
_WIDTH = 1000
_SECONDS = 30.0

_log = logging.getLogger(__name__)


def cover_jpeg(image: Path, scratch: Path) -> bytes | None:
    """`image` (JPEG, PNG or WebP) as a JPEG at most 1000 pixels wide.

    None, and a line in the log, for one that cannot be used: a bad thumbnail costs no audio. Raises StackError and
    StoreNotWritable as `run_ffmpeg` does.
    """
    try:
        with image.open("rb") as file:
            head = file.read(16)
        kind = next((demuxer for mark, demuxer in _KINDS.items() if head.startswith(mark)), None)
        if kind is None or image.stat().st_size > _LARGEST_BYTES:
            _log.warning("the cover %s is no JPEG, PNG or WebP of at most 20 MB", image.name)
            return None
        opening = ["-protocol_whitelist", "file", "-format_whitelist", kind, "-f", kind]
        opening += ["-max_pixels", str(_LARGEST_PIXELS)]
        scale = f"scale=w='min({_WIDTH},iw)':h=-2"
        made = scratch / "cover.jpg"
        outputs = ["-map_metadata", "-1", "-frames:v", "1", "-vf", scale, "-c:v", "mjpeg", "-q:v", "4"]
        outputs += ["-pix_fmt", "yuvj420p", "-flags:v", "+bitexact", "-f", "mjpeg", f"file:{made.absolute()}"]
        run_ffmpeg(image, outputs, _SECONDS, opening=opening)
        return made.read_bytes() or None
    except (MediaError, OSError) as error:
        _log.warning("the cover %s cannot be used: %s", image.name, error)
        return None
