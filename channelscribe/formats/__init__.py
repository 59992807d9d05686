"""A transcript as a file: txt, srt, vtt, tsv, WhisperX's json. Needs nothing; writes no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from channelscribe.errors import UsageError
from channelscribe.formats import like_whisperx, srt, tsv, txt, vtt, whisperx_json
from channelscribe.formats.layout import Layout
from channelscribe.formats.meta import VideoMeta
from channelscribe.transcript import Transcript

__all__ = ["FORMATS", "Layout", "VideoMeta", "render"]

FORMATS: Mapping[str, Callable[[Transcript, VideoMeta], str]] = {
    "txt": txt.render,
    "srt": srt.render,
    "vtt": vtt.render,
    "tsv": tsv.render,
    "json": whisperx_json.render,
}
"""The formats by name, which is also the file name's ending."""


def render(transcript: Transcript, name: str, meta: VideoMeta, layout: Layout | None = None) -> str:
    """The transcript in the format `name`, to be written as UTF-8. Raises UsageError for another name.

    Without a `layout` it is as the library publishes it; with one it is as whisperX's command line writes it (see
    `channelscribe.formats.like_whisperx`), and of `meta` only the json tells.
    """
    if name not in FORMATS:
        raise UsageError(f"There is no transcript format {name!r}.", remedy=f"Known: {', '.join(FORMATS)}.")
    if layout is not None and name in like_whisperx.FORMATS:
        return like_whisperx.FORMATS[name](transcript, layout)
    return FORMATS[name](transcript, meta)
