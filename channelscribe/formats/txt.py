"""The transcript to read: title and address, then one paragraph for each turn, with its time and speaker.

Needs nothing, leaves nothing behind.
"""

from __future__ import annotations

from itertools import groupby

from channelscribe.formats.meta import VideoMeta
from channelscribe.transcript import Transcript

__all__ = ["render"]

# Where nobody is told apart, or one speaker goes on and on, a new paragraph begins at the next segment after
# this.
_PARAGRAPH_SECONDS = 60.0


def render(transcript: Transcript, meta: VideoMeta) -> str:
    """Paragraphs like "[00:01:05] SPEAKER_00: ...", an empty line between them."""
    head = "\n".join(" ".join(line.split()) for line in (meta.title, meta.url) if line.strip())
    return "\n\n".join([head, *_paragraphs(transcript)] if head else _paragraphs(transcript)) + "\n"


def _paragraphs(transcript: Transcript) -> list[str]:
    paragraphs = []
    spoken = (segment for segment in transcript.segments if segment.text.strip())
    for speaker, segments in groupby(spoken, key=lambda segment: segment.speaker):
        start, texts = 0.0, list[str]()
        for segment in segments:
            if texts and segment.start - start >= _PARAGRAPH_SECONDS:
                paragraphs.append(_paragraph(start, speaker, texts))
                texts = []
            if not texts:
                start = segment.start
            texts.append(" ".join(segment.text.split()))
        paragraphs.append(_paragraph(start, speaker, texts))
    return paragraphs


def _paragraph(start: float, speaker: str | None, texts: list[str]) -> str:
    minutes, seconds = divmod(int(max(0.0, start)), 60)
    stamp = f"[{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}]"
    return f"{stamp} {speaker + ': ' if speaker else ''}{' '.join(texts)}"
