"""Transcripts as files for others: txt, srt, vtt, tsv and WhisperX's json, written here and read in `loading`; a whole
channel as one corpus in `corpus`.

Needs nothing; writes no files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from channelscribe.errors import UsageError
from channelscribe.export import plain_text, subtitles, whisperx_json
from channelscribe.export.cues import Layout
from channelscribe.settings.options import SubtitleOptions
from channelscribe.transcript import FILE_FORMATS, Transcript, VideoMeta

__all__ = ["FORMATS", "Layout", "VideoMeta", "known_formats", "render"]

FORMATS: Mapping[str, Callable[[Transcript, VideoMeta, Layout | None, SubtitleOptions], str]] = dict(
    zip(
        FILE_FORMATS,
        (plain_text.render, subtitles.render_srt, subtitles.render_vtt, subtitles.render_tsv, whisperx_json.render),
        strict=True,
    )
)
"""What writes each format."""


def render(
    transcript: Transcript,
    name: str,
    meta: VideoMeta,
    layout: Layout | None = None,
    subtitles: SubtitleOptions = subtitles.DEFAULTS,
) -> str:
    """The transcript in the format `name`, to be written as UTF-8. Raises UsageError for another name.

    Without a `layout` it is as the library publishes it; with one it is as whisperX's command line writes it
    (whisperx/utils.py, version 3.8), and of `meta` only the json tells. `subtitles`: how the cues for people are cut.
    """
    (known,) = known_formats(name)
    return FORMATS[known](transcript, meta, layout, subtitles)


def known_formats(text: str) -> list[str]:
    """The names in a list with commas, each once. Raises UsageError for one that is unknown, and for none at all."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise UsageError(
            f"There is no transcript format {(unknown or [''])[0]!r}.", remedy=f"Known: {', '.join(FORMATS)}."
        )
    return names
