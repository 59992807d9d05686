"""Transcripts cut into subtitle cues: what stands on the screen, and from when to when.

Needs nothing, leaves nothing behind. Without a layout a cue is a segment. With one the cues are those of whisperX's
command line (whisperx/utils.py, version 3.8), except that they never join two speakers, never end before they start,
and that words whose times were interpolated count as timed, so a cue that ends with "1984" stays until it is said.
Japanese and Chinese get no spaces when words are highlighted either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from channelscribe.languages import is_without_spaces
from channelscribe.transcript import Segment, Transcript, Word

__all__ = ["Cue", "Layout", "bracketed", "cues"]

_WIDEST = 1000  # characters, where no width is asked for
_LONG_PAUSE = 3000  # milliseconds between the starts of two words, after which regrouped cues begin anew


@dataclass(frozen=True, slots=True)
class Layout:
    """whisperX's options of the same names, for srt and vtt.

    `max_line_width` is in characters, without the spaces between words, as whisperX counts; alone it breaks lines,
    with `max_line_count` it makes new cues out of the words, whatever their segments. `max_line_count` alone does
    nothing. `highlight_words` gives each word a cue of its own, in which it is underlined.
    """

    max_line_width: int | None = None
    max_line_count: int | None = None
    highlight_words: bool = False
    readable: bool = False
    """Cues for people instead (`channelscribe.export.readable`); files are otherwise as whisperX writes them."""

    @property
    def regroups(self) -> bool:
        """Whether cues are made anew instead of one for each segment."""
        return self.max_line_width is not None and self.max_line_count is not None


@dataclass(frozen=True, slots=True)
class Cue:
    """`start` and `end` in whole milliseconds; `text` in lines, none of them empty.

    `underlined` tells from and to which of its characters a word is.
    """

    start: int
    end: int
    speaker: str | None
    text: str
    underlined: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, or a whole segment, at its place; `opens_line` where it begins another line of its cue."""

    text: str
    start: int  # milliseconds
    end: int
    speaker: str | None
    opens_segment: bool
    opens_line: bool = False


def cues(transcript: Transcript, layout: Layout | None = None) -> list[Cue]:
    """The cues in order. Segments without text have none; white space is one space.

    Without a `layout` a cue ends where the next begins, if it would end later. With one they are as the words are
    timed.
    """
    pieces = _pieces(transcript.segments, by_word=layout is not None)
    if layout is None:
        return _one_after_another(sorted(pieces, key=attrgetter("start", "end")))
    timed = any(segment.words for segment in transcript.segments)
    space = "" if is_without_spaces(transcript.language) else " "
    made: list[Cue] = []
    for page in _pages(pieces, layout, regroups=layout.regroups and timed):
        made += _highlighted(page, space) if timed and layout.highlight_words else [_whole(page, space)]
    return made


def bracketed(speaker: str | None) -> str:
    """The speaker before a text, as whisperX has it: "[SPEAKER_00]: "."""
    return f"[{' '.join(speaker.split())}]: " if speaker else ""


def _pieces(segments: Iterable[Segment], *, by_word: bool) -> Iterator[_Piece]:
    for segment in segments:
        if not segment.text.strip():
            continue
        parts: Sequence[Word | Segment] = (segment.words if by_word else []) or [segment]
        opens = True
        for part in parts:
            if text := " ".join(part.text.split()):
                yield _Piece(text, _milliseconds(part.start), _milliseconds(part.end), segment.speaker, opens)
                opens = False


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _one_after_another(pieces: Sequence[_Piece]) -> list[Cue]:
    starts: list[int] = []
    for piece in pieces:
        starts.append(max(piece.start, starts[-1] + 1 if starts else 0))
    ends = [max(piece.end, start + 1) for piece, start in zip(pieces, starts, strict=True)]
    until = [min(end, following) for end, following in zip(ends, [*starts[1:], *ends[-1:]], strict=True)]
    return [Cue(start, end, piece.speaker, piece.text) for piece, start, end in zip(pieces, starts, until, strict=True)]


def _pages(pieces: Iterable[_Piece], layout: Layout, *, regroups: bool) -> Iterator[list[_Piece]]:
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
            piece = replace(piece, opens_line=True)
        length = len(piece.text)
        page.append(piece)
    if page:
        yield page


def _whole(page: Sequence[_Piece], space: str) -> Cue:
    start = min(piece.start for piece in page)
    text, _ = _joined(page, space)
    return Cue(start, max(start + 1, *(piece.end for piece in page)), page[0].speaker, text)


def _highlighted(page: Sequence[_Piece], space: str) -> Iterator[Cue]:
    """A cue for each word, underlined, and one with plain text for each pause between them."""
    text, places = _joined(page, space)
    last = min(piece.start for piece in page)
    for piece, place in zip(page, places, strict=True):
        if last < piece.start:
            yield Cue(last, piece.start, piece.speaker, text)
        last = max(piece.end, piece.start + 1)
        yield Cue(piece.start, last, piece.speaker, text, place)


def _joined(page: Sequence[_Piece], space: str) -> tuple[str, list[tuple[int, int]]]:
    """The text, and from and to which character each piece is in it."""
    text, places = "", []
    for piece in page:
        text += (space if text else "") + ("\n" if piece.opens_line else "")
        places.append((len(text), len(text) + len(piece.text)))
        text += piece.text
    return text, places
