"""A transcript as a file: txt, srt, vtt, tsv, WhisperX's json. Needs nothing; writes no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from channelscribe.errors import UsageError
from channelscribe.formats import srt, tsv, txt, vtt, whisperx_json
from channelscribe.formats.meta import VideoMeta
from channelscribe.transcript import Transcript

__all__ = ["FORMATS", "VideoMeta", "render"]

FORMATS: Mapping[str, Callable[[Transcript, VideoMeta], str]] = {
    "txt": txt.render,
    "srt": srt.render,
    "vtt": vtt.render,
    "tsv": tsv.render,
    "json": whisperx_json.render,
}
"""The formats by name, which is also the file name's ending."""


def render(transcript: Transcript, name: str, meta: VideoMeta) -> str:
    """The transcript in the format `name`, to be written as UTF-8. Raises UsageError for another name."""
    if name not in FORMATS:
        raise UsageError(f"There is no transcript format {name!r}.", remedy=f"Known: {', '.join(FORMATS)}.")
    return FORMATS[name](transcript, meta)
