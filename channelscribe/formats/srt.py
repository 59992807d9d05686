"""SubRip subtitles, as WhisperX writes them: the speaker in brackets before the text. Needs nothing."""

from __future__ import annotations

from channelscribe.formats.cues import clock, cues
from channelscribe.formats.meta import VideoMeta
from channelscribe.transcript import Transcript

__all__ = ["render"]


def render(transcript: Transcript, meta: VideoMeta) -> str:
    """Numbered cues. SubRip has no escapes, so an arrow in the text becomes "->", as WhisperX does it."""
    blocks = []
    for number, cue in enumerate(cues(transcript), start=1):
        speaker = f"[{cue.speaker}]: " if cue.speaker else ""
        text = (speaker + cue.text).replace("-->", "->")
        blocks.append(f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{text}\n")
    return "\n".join(blocks)
