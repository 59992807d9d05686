"""Subtitles that people can read: short lines, time enough, cut where a speaker would.

Needs nothing, leaves nothing behind. The rules are those that broadcasters agree on (BBC Subtitle Guidelines; Netflix
Timed Text Style Guide, which also counts a Chinese or Japanese character as two); the numbers are settings.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from channelscribe.export.cues import Cue, bracketed
from channelscribe.languages import words_of
from channelscribe.settings.options import SubtitleOptions
from channelscribe.transcript import Segment, Transcript

__all__ = ["LEFT_OUT", "readable", "width"]

LEFT_OUT = frozenset({"boilerplate", "invented"})
"""Flags of segments that nobody said: they stay in the transcript, and out of subtitles."""

_QUOTES = "[\"'”’」』）)\\]]*$"
_SENTENCE = re.compile("[.!?…。！？؟۔।॥။។།]" + _QUOTES)
_CLAUSE = re.compile("[,;:،؛、，；：—–]" + _QUOTES)
_BREATH = 250  # milliseconds between two words that sound like the end of a phrase
_LINGER = 1000  # milliseconds that a cue stays after its last word at most, to be read
_LATE = 400  # milliseconds that a cue comes after its first word at most, so that the one before stays long enough


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word at its place: `spaced` where a space stands before it."""

    text: str
    spaced: bool
    start: int  # milliseconds
    end: int
    speaker: str | None
    columns: int
    ending: float
    """How bad a place it is to end a cue or a line after: 0 at the end of a sentence."""


def width(text: str) -> int:
    """Columns that a text takes: a Chinese, Japanese or Korean character two, a mark on another none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(each) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def readable(transcript: Transcript, options: SubtitleOptions, *, named: bool = False) -> list[Cue]:
    """The cues of all that was said, in order, none overlapping the next. With `named` room is left for the speaker in
    brackets, which is cut where it would not fit into a line.
    """
    pages: list[list[_Piece]] = []
    heads: list[str] = []
    for run in _runs(_pieces(transcript, options.line_characters), options.pause_seconds * 1000):
        speaker = _short_name(run[0].speaker, options.line_characters) if named else run[0].speaker
        divided = _pages(
            [replace(piece, speaker=speaker) for piece in run], options, bracketed(speaker) if named else ""
        )
        pages += divided
        heads += [bracketed(speaker) if named else ""] * len(divided)
    times = _times(pages, options)
    return [
        Cue(start, end, page[0].speaker, _in_lines(page, options, width(head)))
        for page, head, (start, end) in zip(pages, heads, times, strict=True)
    ]


def _short_name(speaker: str | None, widest: int) -> str | None:
    name = " ".join((speaker or "").split())
    return name if len(name) <= widest - 4 else f"{name[: widest - 5]}…"


def _pieces(transcript: Transcript, widest: int) -> Iterator[_Piece]:
    """Words in the order in which they begin, segment by segment, with the spaces that their text has."""
    spoken = [each for each in transcript.segments if each.text.strip() and LEFT_OUT.isdisjoint(each.flags)]
    for segment in sorted(spoken, key=lambda each: (each.start, each.end)):
        place = 0
        for text, start, end in _words(segment, transcript.language):
            found = segment.text.find(text, place)
            spaced = found < 0 or place == 0 or segment.text[found - 1].isspace()
            place = found + len(text) if found >= 0 else place
            for part in _narrow(text, widest):
                ending = 0.0 if _SENTENCE.search(part) else 0.5 if _CLAUSE.search(part) else 2.0
                begins, ends = _milliseconds(start), _milliseconds(max(start, end))
                yield _Piece(part, spaced, begins, ends, segment.speaker, width(part), ending)
                spaced = False


def _words(segment: Segment, language: str) -> Iterator[tuple[str, float, float]]:
    """A segment's words; where they are not those of its text, the text's, each with its share of the time."""
    if "".join("".join(word.text.split()) for word in segment.words) == "".join(segment.text.split()):
        cleaned = ((" ".join(word.text.split()), word.start, word.end) for word in segment.words)
        yield from (word for word in cleaned if word[0])
        return
    texts = words_of(segment.text, language)
    share = (max(segment.start, segment.end) - segment.start) / max(1, sum(map(len, texts)))
    start = segment.start
    for text in texts:
        yield text, start, start + share * len(text)
        start += share * len(text)


def _narrow(text: str, widest: int) -> Iterator[str]:
    """A word that is wider than a line, such as an address, in parts that are not."""
    part = ""
    for character in text:
        if part and width(part + character) > widest:
            yield part
            part = ""
        part += character
    yield part


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _runs(pieces: Iterable[_Piece], pause: float) -> Iterator[list[_Piece]]:
    """Words of one speaker without a pause between them; no cue is of two of these."""
    run: list[_Piece] = []
    for piece in pieces:
        if run and (
            piece.speaker != run[-1].speaker or piece.start < run[-1].start or piece.start - run[-1].end >= pause
        ):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _pages(run: Sequence[_Piece], options: SubtitleOptions, head: str) -> list[list[_Piece]]:
    """The run in cues, so that all of them together are cut at the best places: the cheapest way through all cuts."""
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost of the words so far, and where their last cue begins
    taken = width(head)
    for after in range(1, len(run) + 1):
        last, following = run[after - 1], run[after].start if after < len(run) else None
        ways = []
        columns, cuts = 0, 0.0  # of the words from `first` on; cuts: places within that would be better ends
        gaps = 0.0
        for first in range(after - 1, -1, -1):
            piece = run[first]
            columns += piece.columns + piece.spaced
            if first < after - 1:
                if last.end - piece.start > options.longest_seconds * 1000:
                    break
                if columns > options.line_characters - taken and not _fits(run[first:after], options, taken):
                    break
                cuts += 0.0 if piece.ending else 1.6  # only to be read at all
                gaps += 0.5 if run[first + 1].start - piece.end > 2 * _BREATH else 0.0
            spoken = last.end - piece.start
            cost = _cost(spoken, columns, None if following is None else following - piece.start, options) + cuts + gaps
            if following is not None:
                cost += min(last.ending, 0.7) if following - last.end >= _BREATH else last.ending
            ways.append((best[first][0] + cost, first))
        best.append(min(ways))
    pages, after = [], len(run)
    while after:
        first = best[after][1]
        pages.append(list(run[first:after]))
        after = first
    return pages[::-1]


def _fits(page: Sequence[_Piece], options: SubtitleOptions, taken: int) -> bool:
    """Into the lines of a cue, whose first has `taken` columns already."""
    lines, free = 1, options.line_characters - taken
    for piece in page:
        needed = piece.columns + (piece.spaced and free < options.line_characters)
        if needed > free:
            lines, free, needed = lines + 1, options.line_characters, piece.columns
        free -= needed
    return lines <= options.lines


def _cost(spoken: int, columns: int, following: int | None, options: SubtitleOptions) -> float:
    """Of a cue by itself: milliseconds that it is spoken, columns of its text, milliseconds to the next one."""
    room = spoken + _LINGER if following is None else min(following, spoken + _LINGER)
    seconds = max(spoken, room, 1) / 1000
    share = columns / (options.line_characters * options.lines)
    cost = 1.0 + 0.5 * (1 - share) ** 2
    cost += 3 * max(0.0, options.shortest_seconds - seconds)
    return cost + max(0.0, columns / seconds / options.characters_per_second - 1)


def _times(pages: Sequence[Sequence[_Piece]], options: SubtitleOptions) -> list[tuple[int, int]]:
    """From and to when each cue stands: as it is said, and longer where it can and must be read."""
    shortest, longest = round(options.shortest_seconds * 1000), round(options.longest_seconds * 1000)
    times: list[tuple[int, int]] = []
    starts = [page[0].start for page in pages]
    last = 0
    for page, following in zip(pages, [*starts[1:], *([None] if pages else [])], strict=True):
        start = max(page[0].start, last)
        said = max(piece.end for piece in page)
        columns = sum(piece.columns + piece.spaced for piece in page)
        wanted = max(
            said, start + shortest, min(said + _LINGER, start + round(1000 * columns / options.characters_per_second))
        )
        end = min(wanted, start + longest)
        if following is not None:
            end = min(end, max(following, min(start + shortest, following + _LATE)))
        last = max(end, start + 1)
        times.append((start, last))
    return times


def _in_lines(page: Sequence[_Piece], options: SubtitleOptions, head: int) -> str:
    """The text in lines that fit, the breaks at the best places, of like length where there is nothing to choose."""
    best: list[tuple[int, float, str]] = [(0, 0.0, "")]  # lines, cost and text of the words so far
    for after in range(1, len(page) + 1):
        ways = []
        columns = 0
        for first in range(after - 1, -1, -1):
            columns += page[first].columns  # of the line from there, without a space at its beginning
            lines, cost, text = best[first]
            room = options.line_characters - (head if not first else 0)
            if columns <= room or after - first == 1:
                uneven = ((room - columns) / options.line_characters) ** 2
                ending = page[after - 1].ending / 4 if after < len(page) else 0.0
                line = "".join(
                    (" " if each.spaced and n else "") + each.text for n, each in enumerate(page[first:after])
                )
                ways.append((lines + 1, cost + uneven + ending, f"{text}\n{line}" if text else line))
            columns += page[first].spaced
        # Of equal ones the longest last line.
        best.append(min(reversed(ways), key=lambda way: (max(way[0], 1), way[1])))
    return best[-1][2]
