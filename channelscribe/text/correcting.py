"""Corrections of a transcript, as pure functions: where each belongs, and what the transcript is with all of them.

A correction is put into what was *recognized*, whatever else was corrected: the corrected transcript is a function of
the recognized one and the set of corrections, so their order does not matter and undoing one is leaving it out. Where
two want the same words the newer one counts. A place is found again, also in a new version, by the words themselves,
their time and the words around: within NEAR seconds half of the words around must be there, further away all of them,
and only there. Words are compared without case and outer punctuation.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from enum import StrEnum

from channelscribe.languages import is_without_spaces, words_of
from channelscribe.transcript import Segment, Turn, Word

__all__ = [
    "AROUND",
    "NEAR",
    "Correction",
    "Edit",
    "Offsets",
    "Placed",
    "SpeakerCorrection",
    "Standing",
    "Token",
    "corrected_segments",
    "corrected_turns",
    "in_case_of",
    "occurrences",
    "place",
    "plain",
    "revised",
    "shown_tokens",
    "tokens",
    "with_speakers",
]

NEAR = 10.0
AROUND = 3
"""Words on each side by which a place is known again."""
_GAP = "\x00"
_SECONDS_A_CHARACTER = 0.06


class Standing(StrEnum):
    """What became of a correction in a version: it holds; a newer one has its words; the version says so by itself; or
    its words are not there any more.
    """

    APPLIED = "applied"
    REPLACED = "replaced"
    NOT_NEEDED = "not needed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Correction:
    """`old` recognized words, which began at `start` (seconds), are `new`. They and those around are `plain`."""

    number: int
    start: float
    end: float
    old: tuple[str, ...]
    new: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeakerCorrection:
    """What is said from `start` to `end` (seconds) is said by `speaker`."""

    number: int
    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Token:
    """A word where it stands: segment, characters of the segment's text, seconds. `origin`: the recognized tokens that
    it is of, first and last; itself where nothing was corrected.
    """

    segment: int
    first: int
    last: int
    text: str
    plain: str
    start: float
    end: float
    speaker: str | None = None
    score: float | None = None
    aligned: bool = False
    origin: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters of a segment's text that were others."""

    first: int
    last: int
    text: str


@dataclass(slots=True)
class Placed:
    """Each correction's standing, and those that hold with the first and last token of their words, in order."""

    standings: dict[int, Standing] = field(default_factory=dict)
    spans: list[tuple[int, int, Correction]] = field(default_factory=list)


def plain(word: str) -> str:
    """Without case and outer punctuation; what has nothing else stays."""
    text = unicodedata.normalize("NFKC", word).casefold().replace("’", "'")
    first, last = 0, len(text)
    while first < last and not _is_letter(text[first]):
        first += 1
    while last > first and not _is_letter(text[last - 1]):
        last -= 1
    return text[first:last] or text


def _is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M" or character in "+#$€£%°"


def tokens(segments: Iterable[tuple[int, Segment]], language: str) -> list[Token]:
    """The words of segments given with their places in the transcript; one that is no word where segments miss."""
    made: list[Token] = []
    expected: int | None = None
    for place_, segment in segments:
        if expected is not None and place_ != expected:
            own = (len(made), len(made))
            made.append(Token(-1, 0, 0, "", _GAP, float("-inf"), float("-inf"), origin=own))
        expected = place_ + 1
        made += _tokens(place_, segment, language, len(made))
    return made


def _tokens(index: int, segment: Segment, language: str, number: int) -> list[Token]:
    """Of one segment, whose first word has this number."""
    found = _as_words(index, segment, number)
    if found is not None:
        return found
    texts = words_of(segment.text, language)
    share = max(0.0, segment.end - segment.start) / max(1, sum(map(len, texts)))
    made: list[Token] = []
    at, start = 0, segment.start
    for text in texts:
        first = segment.text.index(text, at)
        at, end = first + len(text), start + share * len(text)
        own = (number + len(made), number + len(made))
        made.append(Token(index, first, at, text, plain(text), start, end, segment.speaker, origin=own))
        start = end
    return made


def _as_words(index: int, segment: Segment, number: int) -> list[Token] | None:
    """None where the words are not those of the text."""
    made: list[Token] = []
    at = 0
    for word in segment.words:
        text = word.text.strip()
        first = segment.text.find(text, at)
        if not text or first < 0 or segment.text[at:first].strip():
            return None
        at = first + len(text)
        own = (number + len(made), number + len(made))
        timed = (word.start, word.end, word.speaker, word.score, word.aligned)
        made.append(Token(index, first, at, text, plain(text), *timed, own))
    return made if not segment.text[at:].strip() else None


def place(corrections: Iterable[Correction], said: Sequence[Token], language: str, *, whole: bool) -> Placed:
    """Where the corrections belong among recognized tokens. Without `whole`, `said` is what is near their times: who is
    not found there is OPEN, and may be further away.
    """
    made = Placed()
    index: dict[str, list[int]] = {}
    for number, token in enumerate(said):
        index.setdefault(token.plain, []).append(number)
    taken: set[int] = set()
    for each in sorted(corrections, key=lambda each: -each.number):
        first, standing = _located(each, said, index, language, whole)
        if first is not None:
            words = range(first, first + len(each.old))
            standing = Standing.APPLIED if taken.isdisjoint(words) else Standing.REPLACED
            if standing is Standing.APPLIED:
                taken.update(words)
                made.spans.append((words[0], words[-1], each))
        made.standings[each.number] = standing
    made.spans.sort(key=lambda span: span[0])
    return made


def _located(
    wanted: Correction, said: Sequence[Token], index: Mapping[str, list[int]], language: str, whole: bool
) -> tuple[int | None, Standing]:
    around = len(wanted.before) + len(wanted.after)

    def near(words: tuple[str, ...]) -> list[tuple[int, float, int]]:
        found = []
        for at in _all_of(words, said, index):
            away = abs(said[at].start - wanted.start)
            alike = _alike(wanted, said, at, len(words))
            if away <= NEAR and 2 * alike >= around:
                found.append((alike, -away, -at))
        return found

    here = near(wanted.old)
    new = tuple(map(plain, words_of(wanted.new, language)))
    already = near(new) if new and new != wanted.old else []
    if already and (not here or max(already)[0] > max(here)[0]):
        return None, Standing.NOT_NEEDED
    if here:
        return -max(here)[2], Standing.APPLIED
    if whole and around:
        exact = [at for at in _all_of(wanted.old, said, index) if _alike(wanted, said, at, len(wanted.old)) == around]
        if len(exact) == 1:
            return exact[0], Standing.APPLIED
    return None, Standing.OPEN


def _all_of(words: Sequence[str], said: Sequence[Token], index: Mapping[str, list[int]]) -> Iterator[int]:
    """Where these words stand in a row."""
    for at in index.get(words[0], ()):
        if at + len(words) <= len(said) and all(said[at + n].plain == word for n, word in enumerate(words)):
            yield at


def occurrences(words: Sequence[str], said: Sequence[Token]) -> list[int]:
    """Where these words, made `plain`, stand in a row."""
    index: dict[str, list[int]] = {}
    for number, token in enumerate(said):
        index.setdefault(token.plain, []).append(number)
    return list(_all_of(words, said, index)) if words else []


def _alike(wanted: Correction, said: Sequence[Token], at: int, length: int) -> int:
    before = sum(at > n and said[at - n - 1].plain == word for n, word in enumerate(reversed(wanted.before)))
    end = at + length
    return before + sum(end + n < len(said) and said[end + n].plain == word for n, word in enumerate(wanted.after))


def corrected_segments(
    segments: Mapping[int, Segment], said: Sequence[Token], placed: Placed, language: str
) -> dict[int, tuple[Segment, list[Edit]]]:
    """The segments that are others with the corrections, with what was done to their texts, in order."""
    parts: dict[int, list[tuple[int, int, list[Word], str]]] = {}
    for first, last, correction in placed.spans:
        for index, part in _parts(said, first, last, correction.new, language):
            parts.setdefault(index, []).append(part)
    of_segment: dict[int, list[int]] = {index: [] for index in parts}
    for number, token in enumerate(said):
        if token.segment in of_segment:
            of_segment[token.segment].append(number)
    return {
        index: _corrected(segments[index], [(number, said[number]) for number in of_segment[index]], parts[index])
        for index in parts
    }


def _parts(
    said: Sequence[Token], first: int, last: int, new: str, language: str
) -> Iterator[tuple[int, tuple[int, int, list[Word], str]]]:
    """The words of one correction for each segment that it touches: first and last token there, words, text."""
    old = said[first : last + 1]
    following = said[last + 1] if last + 1 < len(said) else None
    until = following.start if following is not None and following.segment == old[-1].segment else old[-1].end
    timed = _timed(old, words_of(new, language), max(until, old[-1].end))
    joint = "" if is_without_spaces(language) else " "
    touched = sorted({token.segment for token in old})
    for index in touched:
        numbers = [first + n for n, token in enumerate(old) if token.segment == index]
        words = [word for owner, word in timed if owner == index]
        text = " ".join(new.split()) if len(touched) == 1 else joint.join(word.text for word in words)
        yield index, (numbers[0], numbers[-1], words, text)


def _timed(old: Sequence[Token], new: Sequence[str], until: float) -> list[tuple[int, Word]]:
    """The new words with the times of those that they stand for, each with the segment that it belongs to."""
    made: list[tuple[int, Word]] = []
    plain_new = [plain(word) for word in new]
    for kind, i, j, k, m in SequenceMatcher(None, [t.plain for t in old], plain_new, False).get_opcodes():
        if kind == "equal" or (kind == "replace" and j - i == m - k):
            for token, text in zip(old[i:j], new[k:m], strict=True):
                score = token.score if kind == "equal" else None
                made.append((token.segment, Word(text, token.start, token.end, score, token.speaker, token.aligned)))
        elif kind == "replace":
            owners = [old[i + n * (j - i) // (m - k)] for n in range(m - k)]
            made += _shared(new[k:m], owners, old[i].start, old[j - 1].end)
        elif kind == "insert" and made:
            limit = old[i].start if i < len(old) else until
            owner, last = made[-1]
            token = old[max(0, i - 1)]
            need = _SECONDS_A_CHARACTER * sum(map(len, new[k:m]))
            if limit - last.end >= need:
                made += _shared(new[k:m], [token] * (m - k), last.end, last.end + need, owner)
            else:
                made[-1:] = _shared([last.text, *new[k:m]], [token] * (m - k + 1), last.start, limit, owner)
        elif kind == "insert":
            made += _shared(new[k:m], [old[0]] * (m - k), old[0].start, old[0].start)
    return made


def _shared(
    texts: Sequence[str], owners: Sequence[Token], start: float, end: float, owner: int | None = None
) -> list[tuple[int, Word]]:
    """Words that share a stretch of time by their lengths."""
    step = max(0.0, end - start) / max(1, sum(map(len, texts)))
    made, at = [], start
    for text, token in zip(texts, owners, strict=True):
        word = Word(text, at, at + step * len(text), None, token.speaker, False)
        made.append((token.segment if owner is None else owner, word))
        at = word.end
    return made


def _corrected(
    segment: Segment, said: Sequence[tuple[int, Token]], parts: Sequence[tuple[int, int, list[Word], str]]
) -> tuple[Segment, list[Edit]]:
    by_number = dict(said)
    edits = []
    for first, last, _, text in parts:
        begin, end = by_number[first].first, by_number[last].last
        if not text and segment.text[end : end + 1].isspace():
            end += 1
        elif not text and segment.text[max(0, begin - 1) : begin].isspace():
            begin -= 1
        edits.append(_without_marks(segment.text, Edit(begin, end, text)))
    words: list[Word] = []
    starts = {first: (last, made) for first, last, made, _ in parts}
    skip = -1
    for number, token in said if segment.words else ():
        if number in starts:
            skip, made = starts[number]
            words += made
        elif number > skip:
            words.append(Word(token.text, token.start, token.end, token.score, token.speaker, token.aligned))
    return replace(segment, text=_edited(segment.text, edits), words=words), edits


def _without_marks(text: str, edit: Edit) -> Edit:
    """Only what differs of the marks around the words, so that a name does not get them."""
    first, last, new = edit.first, edit.last, edit.text
    while first < last and new and text[last - 1] == new[-1] and not _is_letter(new[-1]):
        last, new = last - 1, new[:-1]
    while first < last and new and text[first] == new[0] and not _is_letter(new[0]):
        first, new = first + 1, new[1:]
    return Edit(first, last, new)


def _edited(text: str, edits: Sequence[Edit]) -> str:
    made, at = [], 0
    for edit in edits:
        made += [text[at : max(at, edit.first)], edit.text]
        at = edit.last
    return "".join([*made, text[at:]])


def shown_tokens(said: Sequence[Token], placed: Placed, language: str) -> list[Token]:
    """The tokens as they are shown, each with the recognized ones that it stands for as its `origin`."""
    made: list[Token] = []
    at = 0
    for first, last, correction in placed.spans:
        made += said[at:first]
        until = max(said[last].end, said[last].start)
        for owner, word in _timed(said[first : last + 1], words_of(correction.new, language), until):
            one = Token(owner, 0, 0, word.text, plain(word.text), word.start, word.end, word.speaker)
            made.append(replace(one, origin=(first, last)))
        at = last + 1
    return [*made, *said[at:]]


def revised(
    said: Sequence[Token], shown: Sequence[Token], changes: Sequence[tuple[int, int, str]], language: str
) -> list[tuple[int, int, str]]:
    """Changes of shown tokens as changes of recognized ones: (first, last, new text).

    Each change is (first, end, new text), the shown tokens [first, end) being others; where there are none the text is
    put in between. Those that meet within one earlier correction become one.
    """
    joint = "" if is_without_spaces(language) else " "
    whole: list[tuple[int, int, list[tuple[int, int, str]]]] = []
    for first, end, text in sorted(changes):
        anchor = first if end > first or first == 0 or shown[first - 1].plain == _GAP else first - 1
        anchor = min(anchor, len(shown) - 1)
        last = max(end - 1, anchor)
        low, high = shown[anchor].origin[0], shown[last].origin[1]
        if whole and low <= whole[-1][1]:
            before = whole[-1]
            whole[-1] = (before[0], max(before[1], high), [*before[2], (first, end, text)])
        else:
            whole.append((low, high, [(first, end, text)]))
    made = []
    for low, high, inside in whole:
        texts: list[str] = []
        places = [n for n, token in enumerate(shown) if low <= token.origin[0] and token.origin[1] <= high]
        at = places[0] if places else inside[0][0]
        for first, end, text in inside:
            texts += [shown[n].text for n in range(at, first)]
            texts += [text] if text else []
            at = max(at, end)
        texts += [shown[n].text for n in range(at, (places[-1] if places else at - 1) + 1)]
        made.append((low, high, joint.join(texts)))
    return made


def in_case_of(new: str, old: str) -> str:
    """`new` as it stands in place of `old`: capitals as there, unless it has its own; the punctuation around it.

    "comfyui" for "Confu I," is "Comfyui,"; "ComfyUI" is "ComfyUI,".
    """
    text = new
    if new == new.lower():
        if old.upper() == old and sum(c.isalpha() for c in old) > 1:
            text = new.upper()
        elif (letter := next((c for c in old if c.isalpha()), "")) and letter.isupper():
            text = new[:1].upper() + new[1:]
    if not text:
        return text
    head = old[: next((n for n, c in enumerate(old) if _is_letter(c)), 0)]
    tail = old[len(old) - next((n for n, c in enumerate(reversed(old)) if _is_letter(c)), 0) :]
    return (head if _is_letter(text[0]) else "") + text + (tail if _is_letter(text[-1]) else "")


def with_speakers(segment: Segment, corrections: Iterable[SpeakerCorrection]) -> Segment:
    """The segment, its words in the given spans said by others; the speaker of most of its words is its own."""
    words, speaker = list(segment.words), segment.speaker
    for each in corrections:
        words = [replace(w, speaker=each.speaker) if _within(each, w.start, w.end) else w for w in words]
        if not words and _within(each, segment.start, segment.end):
            speaker = each.speaker
    if words == segment.words:
        return replace(segment, speaker=speaker)
    said: dict[str | None, int] = {}
    for word in words:
        said[word.speaker] = said.get(word.speaker, 0) + len(word.text)
    most = max(said.values())
    speaker = segment.speaker if said.get(segment.speaker) == most else max(said, key=lambda one: said[one])
    return replace(segment, words=words, speaker=speaker)


def _within(each: SpeakerCorrection, start: float, end: float) -> bool:
    return each.start <= (start + end) / 2 <= each.end


def corrected_turns(turns: Sequence[Turn], corrections: Iterable[SpeakerCorrection]) -> list[Turn]:
    """The turns, each corrected span being a turn of its speaker and of nobody else."""
    made = list(turns)
    for each in corrections:
        rest = []
        for turn in made:
            rest += [Turn(turn.start, min(turn.end, each.start), turn.speaker)] if turn.start < each.start else []
            rest += [Turn(max(turn.start, each.end), turn.end, turn.speaker)] if turn.end > each.end else []
        made = [*rest, Turn(each.start, each.end, each.speaker)]
    return sorted(made, key=lambda turn: (turn.start, turn.end, turn.speaker))


class Offsets:
    """From characters of a text to those of the edited one. What an edit touches has all of it."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        """The edits in order, none over another."""
        self._edits = list(edits)
        self._firsts = [edit.first for edit in edits]
        self._before = [0]
        for edit in edits:
            self._before.append(self._before[-1] + len(edit.text) - (edit.last - edit.first))

    def back(self, text: str) -> Offsets:
        """The way back to the `text` before the edits."""
        return Offsets([
            Edit(edit.first + shift, edit.first + shift + len(edit.text), text[edit.first : edit.last])
            for edit, shift in zip(self._edits, self._before, strict=False)
        ])  # fmt: skip

    def touched(self, start: int, end: int) -> bool:
        """Whether anything was edited within the characters [start, end)."""
        number = bisect_right(self._firsts, end - 1) - 1
        return number >= 0 and self._edits[number].last > start

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Characters [start, end)."""
        number = bisect_right(self._firsts, start) - 1
        if number >= 0 and start < self._edits[number].last:
            start = self._firsts[number] + self._before[number]
        else:
            start += self._before[number + 1]
        number = bisect_right(self._firsts, end - 1) - 1
        if number >= 0 and end <= self._edits[number].last:
            edit = self._edits[number]
            end = edit.first + self._before[number] + len(edit.text)
        else:
            end += self._before[number + 1]
        return start, max(start, end)
