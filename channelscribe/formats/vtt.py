"""WebVTT subtitles (https://www.w3.org/TR/webvtt1/), the speaker as a voice span. Needs nothing."""

from __future__ import annotations

from channelscribe.formats.cues import clock, cues
from channelscribe.formats.meta import VideoMeta
from channelscribe.transcript import Transcript

__all__ = ["render"]


def render(transcript: Transcript, meta: VideoMeta) -> str:
    """A header, a note with title and address, and the cues; text is escaped as WebVTT asks."""
    note = "\n".join(_escape(" ".join(line.split())) for line in (meta.title, meta.url) if line.strip())
    blocks = ["WEBVTT\n"] + ([f"NOTE\n{note}\n"] if note else [])
    for cue in cues(transcript):
        voice = f"<v {_escape(' '.join(cue.speaker.split()))}>" if cue.speaker else ""
        blocks.append(f"{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{voice}{_escape(cue.text)}\n")
    return "\n".join(blocks)


def _escape(text: str) -> str:
    # ">" need not be escaped but in "-->", which ends a cue's text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
