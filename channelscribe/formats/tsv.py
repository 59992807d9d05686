"""Tab-separated start, end (whole milliseconds) and text, as WhisperX writes it. Needs nothing."""

from __future__ import annotations

from channelscribe.formats.cues import cues
from channelscribe.formats.meta import VideoMeta
from channelscribe.transcript import Transcript

__all__ = ["render"]


def render(transcript: Transcript, meta: VideoMeta) -> str:
    """A header line and a line for each segment; tabs and line ends in the text become spaces."""
    return "".join(["start\tend\ttext\n", *(f"{cue.start}\t{cue.end}\t{cue.text}\n" for cue in cues(transcript))])
