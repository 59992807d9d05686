"""The transcript to read: title and address, then one paragraph for each turn, with its time and speaker, and above the
first one of a chapter that chapter's title. And read again: ours, WhisperX's, or any other text.

Needs nothing, leaves nothing behind. Text without times has none to give: all its times are 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby, pairwise

from channelscribe.export.cues import Layout, bracketed
from channelscribe.transcript import Segment, Transcript, VideoMeta

__all__ = ["parse", "render"]

# Where nobody is told apart, or one speaker goes on and on, a new paragraph begins at the next segment after
# this.
_PARAGRAPH_SECONDS = 60.0
_SLACK = 1.0  # seconds by which people set the beginning of a chapter too late

_STAMPED = re.compile(r"^\[(\d+):([0-5]\d):([0-5]\d)\] (?:([^\s:]{1,80}): )?(.+)$", re.MULTILINE)
_NAMED = re.compile(r"^\[([^\]\n]{1,80})\]:\s*(.*)$")
_SECONDS_A_CHARACTER = 1 / 15  # of the last paragraph, whose end is not written; speech has 12 to 18


def render(transcript: Transcript, meta: VideoMeta, layout: Layout | None = None, *_: object) -> str:
    """Paragraphs like "[00:01:05] SPEAKER_00: ...", an empty line between them.

    With a `layout` as whisperX: a line for each segment, "[SPEAKER_00]: ...".
    """
    if layout is not None:
        spoken = (segment for segment in transcript.segments if segment.text.strip())
        return "".join(f"{bracketed(segment.speaker)}{' '.join(segment.text.split())}\n" for segment in spoken)
    head = "\n".join(" ".join(line.split()) for line in (meta.title, meta.url) if line.strip())
    paragraphs = _paragraphs(transcript, meta.chapters)
    return "\n\n".join([head, *paragraphs] if head else paragraphs) + "\n"


def _paragraphs(transcript: Transcript, chapters: Sequence[tuple[float, str]]) -> list[str]:
    paragraphs: list[str] = []
    following = list(chapters)
    spoken = [segment for segment in transcript.segments if segment.text.strip()]

    def begins_chapter(segment: Segment) -> bool:
        return bool(following) and segment.start + _SLACK >= following[0][0]

    def begin(segment: Segment) -> None:
        """The chapters that begin by now. One in which nobody speaks is there, too."""
        while begins_chapter(segment):
            paragraphs.append(f"# {following.pop(0)[1]}")

    for speaker, segments in groupby(spoken, key=lambda segment: segment.speaker):
        start, texts = 0.0, list[str]()
        for segment in segments:
            if texts and (segment.start - start >= _PARAGRAPH_SECONDS or begins_chapter(segment)):
                paragraphs.append(_paragraph(start, speaker, texts))
                texts = []
            if not texts:
                begin(segment)
                start = segment.start
            texts.append(" ".join(segment.text.split()))
        paragraphs.append(_paragraph(start, speaker, texts))
    return [*paragraphs, *(f"# {title}" for _, title in following)]


def _paragraph(start: float, speaker: str | None, texts: list[str]) -> str:
    minutes, seconds = divmod(int(max(0.0, start)), 60)
    stamp = f"[{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}]"
    return f"{stamp} {speaker + ': ' if speaker else ''}{' '.join(texts)}"


def parse(text: str) -> list[Segment]:
    """Paragraphs, or lines that have text. What stands before the first time (title, address) is left out."""
    stamped = [_stamped(*found.groups()) for found in _STAMPED.finditer(text)]
    for segment, following in pairwise(stamped):
        segment.end = max(segment.start, following.start)
    if stamped:
        return stamped
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [_line(line) for line in lines if line]


def _stamped(hours: str, minutes: str, seconds: str, speaker: str | None, text: str) -> Segment:
    start = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return Segment(float(start), start + round(len(text) * _SECONDS_A_CHARACTER, 3), " ".join(text.split()), speaker)


def _line(line: str) -> Segment:
    named = _NAMED.match(line)
    return Segment(0.0, 0.0, named[2], named[1]) if named else Segment(0.0, 0.0, line)
