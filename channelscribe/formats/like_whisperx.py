"""txt, srt and vtt as whisperX's command line writes them (whisperx/utils.py, version 3.8), byte for byte.

Needs nothing, leaves nothing behind. Different on purpose: text is escaped in WebVTT and has no "-->" in SubRip, line
ends and other white space in it become one space, segments without text are left out, a cue never joins two speakers,
never ends before it starts, and words whose times were interpolated count as timed, so a cue that ends with "1984"
stays until it is said. Japanese and Chinese get no spaces when words are highlighted either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from channelscribe.formats.cues import clock, milliseconds
from channelscribe.formats.layout import Layout
from channelscribe.transcript import Segment, Transcript

__all__ = ["FORMATS"]

_WITHOUT_SPACES = ("ja", "zh")
_WIDEST = 1000  # characters, where no width is asked for
_LONG_PAUSE = 3000  # milliseconds between the starts of two words, after which regrouped cues begin anew
_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, or a segment that has none, at its place: `newline` where it begins a line within its cue."""

    text: str
    start: int  # milliseconds
    end: int
    speaker: str | None
    opens_segment: bool
    newline: bool = False


_Cue = tuple[int, int, str]


def _txt(transcript: Transcript, layout: Layout) -> str:
    segments = ((segment.speaker, " ".join(segment.text.split())) for segment in transcript.segments)
    return "".join(f"{_prefix(speaker)}{text}\n" for speaker, text in segments if text)


def _srt(transcript: Transcript, layout: Layout) -> str:
    cues = enumerate(_cues(transcript, layout, lambda text: text.replace("-->", "->")), start=1)
    return "".join(
        f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n\n" for number, (start, end, text) in cues
    )


def _vtt(transcript: Transcript, layout: Layout) -> str:
    cues = _cues(transcript, layout, _escape)
    return "WEBVTT\n\n" + "".join(f"{_short(start)} --> {_short(end)}\n{text}\n\n" for start, end, text in cues)


FORMATS: Mapping[str, Callable[[Transcript, Layout], str]] = {"txt": _txt, "srt": _srt, "vtt": _vtt}
"""Those that whisperX writes otherwise than the library; tsv and json have its lines and keys anyway."""


def _cues(transcript: Transcript, layout: Layout, escape: Callable[[str], str]) -> Iterator[_Cue]:
    timed = any(segment.words for segment in transcript.segments)
    space = "" if transcript.language in _WITHOUT_SPACES else " "
    for page in _pages(_pieces(transcript.segments), layout, layout.regroups and timed):
        prefix = escape(_prefix(page[0].speaker))
        words = [escape(piece.text) for piece in page]
        if timed and layout.highlight_words:
            yield from _highlighted(page, words, prefix, space)
        else:
            yield _whole(page, words, prefix, space)


def _pages(pieces: Sequence[_Piece], layout: Layout, regroups: bool) -> Iterator[list[_Piece]]:
    """The pieces of each cue. Without `regroups` those of one segment, broken to lines where they are too wide."""
    width, most_lines = layout.max_line_width or _WIDEST, layout.max_line_count
    page: list[_Piece] = []
    length, lines = 0, 1
    for piece in pieces:
        pause = regroups and bool(page) and piece.start - page[-1].start > _LONG_PAUSE
        other = bool(page) and (piece.speaker != page[-1].speaker or (piece.opens_segment and not regroups))
        full = length + len(piece.text) > width
        if page and not (full or pause or other):
            length += len(piece.text)
            page.append(piece)
            continue
        if other or (page and most_lines is not None and (pause or lines >= most_lines)):
            yield page
            page, lines = [], 1
        if page:
            lines += 1
            piece = _Piece(piece.text, piece.start, piece.end, piece.speaker, piece.opens_segment, newline=True)
        length = len(piece.text)
        page.append(piece)
    if page:
        yield page


def _pieces(segments: Sequence[Segment]) -> list[_Piece]:
    pieces = []
    for segment in segments:
        timed = [(word.text, word.start, word.end) for word in segment.words]
        timed = timed or [(segment.text, segment.start, segment.end)]
        cleaned = [(" ".join(text.split()), milliseconds(start), milliseconds(end)) for text, start, end in timed]
        kept = [each for each in cleaned if each[0]] if segment.text.strip() else []
        pieces += [
            _Piece(text, start, end, segment.speaker, opens_segment=place == 0)
            for place, (text, start, end) in enumerate(kept)
        ]
    return pieces


def _whole(page: Sequence[_Piece], words: Sequence[str], prefix: str, space: str) -> _Cue:
    start = min(piece.start for piece in page)
    return start, max(start + 1, *(piece.end for piece in page)), prefix + _joined(page, words, space)


def _highlighted(page: Sequence[_Piece], words: Sequence[str], prefix: str, space: str) -> Iterator[_Cue]:
    """A cue for each word, underlined, and one with plain text for each pause between them."""
    last = min(piece.start for piece in page)
    for place, piece in enumerate(page):
        if last < piece.start:
            yield last, piece.start, prefix + _joined(page, words, space)
        marked = [f"<u>{word}</u>" if place == other else word for other, word in enumerate(words)]
        last = max(piece.end, piece.start + 1)
        yield piece.start, last, prefix + _joined(page, marked, space)


def _joined(page: Sequence[_Piece], words: Sequence[str], space: str) -> str:
    return space.join("\n" + word if piece.newline else word for piece, word in zip(page, words, strict=True))


def _prefix(speaker: str | None) -> str:
    return f"[{' '.join(speaker.split())}]: " if speaker else ""


def _short(time: int) -> str:
    """hh:mm:ss.mmm, without the hours where there are none."""
    return clock(time, ".") if time >= _HOUR else clock(time, ".")[3:]


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
