"""Times of words, whoever tells them: an aligner, the recognizer's own attention, or nobody.

Needs numpy, leaves nothing behind. A word is {"text", "start", "end", "score", "aligned"}, times in seconds. Which of
the three it was can be told from it: an aligner's is `aligned`; the attention's is not and has a `score` (how likely
the recognizer found the word); one that was interpolated has neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.languages import words_of

__all__ = [
    "Piece",
    "Sound",
    "attended_times",
    "complete_times",
    "heard_speech",
    "kept_in_speech",
    "spread",
    "spread_over",
    "timed_by",
    "unsaid",
]

# A word said slowly, in seconds: attention has no word for a pause, so a word beside one may be given all of it.
_SLOW_WORD, _SLOW_LETTER = 0.35, 0.085
_SHORT = 0.02  # seconds: no word is shorter, a frame of Whisper's encoder
_STRAY = 0.1  # seconds that a word may reach out of the speech that was detected, whose borders are no sharper
_CUT = 0.6  # seconds of silence inside a word, from which it is on one side of it only
_CLOSURE = 0.1  # seconds of silence that a word may begin or end with: a stop consonant has as much
_EDGE = 0.02  # seconds before the first loud frame that a word has begun
_LOUD_SHARE = 0.3  # of the way from the quietest frames to speech
_CLEAR = 0.8  # decades of power between the two, from which silence can be told
_HOLE = 0.3  # seconds between two words, below which nothing can be missing
_TRUSTED = 0.4  # probability from which a word is believed where the detector heard nothing

Stretch = tuple[float, float]


@dataclass(frozen=True)
class Piece:
    """Some characters of a text and the stretch that the recognizer attended to for them, with their probability."""

    text: str
    start: float
    end: float
    probability: float


def attended_times(text: str, language: str | None, pieces: Sequence[Piece]) -> list[dict[str, Any]] | None:
    """The words of `text` with the times of its pieces, which together have the same characters; None if they have not.

    A word is timed by its letters alone: marks and spaces are attended to while nobody speaks.
    """
    letters = [each for each in _letters(pieces) if not each[0].isspace()]
    if "".join(each[0] for each in letters) != "".join(text.split()):
        return None
    words, place = [], 0
    for word in words_of(text, language):
        mine = letters[place : place + len(word)]
        place += len(word)
        spoken = [each for each in mine if each[0].isalnum()] or mine
        score = sum(each[3] for each in mine) / len(mine)
        words.append(_word(word, spoken[0][1], spoken[-1][2], round(score, 2), aligned=False))
    return words


def _letters(pieces: Sequence[Piece]) -> Iterator[tuple[str, float, float, float]]:
    for piece in pieces:
        step = (piece.end - piece.start) / max(1, len(piece.text))
        for place, character in enumerate(piece.text):
            yield character, piece.start + place * step, piece.start + (place + 1) * step, piece.probability


@dataclass(frozen=True)
class Sound:
    """How loud a stretch is: `levels` of frames that follow each other every `step` seconds from `start` on.

    Levels are logarithmic, of any unit. `loud[i]`: whether a frame is clearly above the quietest ones; everywhere where
    nothing is quiet, as in a hall full of people.
    """

    start: float
    step: float
    loud: NDArray[np.bool_]

    @classmethod
    def of(cls, levels: NDArray[np.float32], start: float, step: float, decade: float) -> Sound:
        """`decade`: what ten times the power adds to a level."""
        if not len(levels):
            return cls(start, step, np.zeros(0, np.bool_))
        floor, speech = np.percentile(levels, (5, 75))
        loud = levels > floor + _LOUD_SHARE * (speech - floor) if speech - floor > _CLEAR * decade else levels > -np.inf
        return cls(start, step, loud)

    def within(self, start: float, end: float) -> NDArray[np.bool_]:
        first = max(0, round((start - self.start) / self.step))
        return self.loud[first : max(first, round((end - self.start) / self.step))]

    def trimmed(self, start: float, end: float) -> Stretch:
        """[start, end] without silence at its ends; itself where all of it is silent."""
        loud = np.flatnonzero(self.within(start, end))
        if not len(loud):
            return start, end
        before, after = float(loud[0]) * self.step, float(len(self.within(start, end)) - 1 - loud[-1]) * self.step
        return (
            start + before - _EDGE if before > _CLOSURE else start,
            end - after + _EDGE if after > _CLOSURE else end,
        )


def heard_speech(words: Sequence[dict[str, Any]], speech: Sequence[Stretch], sound: Sound) -> list[Stretch]:
    """The detector's stretches, and those where it heard nothing but the recognizer found a word and there is sound."""
    found = list(speech)
    for word in words:
        start, end = sound.trimmed(word["start"], word["end"])
        overlap = sum(max(0.0, min(end, b) - max(start, a)) for a, b in speech)
        loud = sound.within(start, end)
        if word["score"] >= _TRUSTED and overlap < (end - start) / 2 and len(loud) and loud.mean() >= 0.5:
            found.append((start, end))
    return joined(found, _STRAY)


def unsaid(words: Sequence[dict[str, Any]], speech: Sequence[Stretch], sound: Sound) -> float:
    """Seconds of sound in the speech that no word has, in holes that are longer than a breath."""
    total, position = 0.0, 0.0
    for start, end in [*((word["start"], word["end"]) for word in words), (np.inf, np.inf)]:
        hole = [(max(position, a), min(start, b)) for a, b in speech if min(start, b) > max(position, a)]
        if sum(b - a for a, b in hole) >= _HOLE:
            total += sum(float(sound.within(a, b).sum()) * sound.step for a, b in hole)
        position = end
    return total


def joined(stretches: Sequence[Stretch], within: float = 0.0) -> list[Stretch]:
    """Stretches in order, those that touch or are at most `within` seconds apart as one."""
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1] + within:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def timed_by(word: dict[str, Any]) -> str:
    """Who timed a word: "aligner", "attention" or "interpolated"."""
    return "aligner" if word["aligned"] else "interpolated" if word["score"] is None else "attention"


def kept_in_speech(
    words: Sequence[dict[str, Any]], speech: Sequence[Stretch], sound: Sound | None = None
) -> list[dict[str, Any]]:
    """Words without the pauses that they hold: none reaches far out of the `speech`. Words stay in order.

    Of a word that goes through a pause an aligner knows the beginning, and the attention the end: it moves on when the
    word before is over, so what is said after a pause is given the pause as well. There no word takes longer than
    people take for it, and with the `sound` none begins or ends in silence.
    """
    heard = [(start - _STRAY, end + _STRAY) for start, end in speech]
    kept: list[dict[str, Any]] = []
    position = max(0.0, heard[0][0]) if heard else 0.0
    for word in words:
        attended = timed_by(word) == "attention"
        start, end = _within(max(word["start"], position), max(word["end"], position), heard, ends=attended)
        if attended:
            start, end = sound.trimmed(start, end) if sound else (start, end)
            start = max(start, end - _SLOW_WORD - _SLOW_LETTER * len(word["text"]))
            start = next((max(start, a) for a, b in heard if b >= start), start)
        start = max(start, position)
        position = end = max(start, end)
        kept.append(word | {"start": round(start, 3), "end": round(end, 3)})
    return kept


def _within(start: float, end: float, heard: Sequence[Stretch], *, ends: bool) -> Stretch:
    """[start, end] without what is not heard: of what a long pause divides the last part (`ends`) or the first; the
    nearest place where it is heard nowhere.
    """
    shared = [(max(start, a), min(end, b)) for a, b in heard if min(end, b) - max(start, a) > 0]
    if shared:
        parts = joined(shared, _CUT)
        return parts[-1] if ends else parts[0]
    places = [max(a, min(start, b)) for a, b in heard]
    near = min(places, key=lambda place: abs(place - start), default=start)
    return near, near


def complete_times(
    words: Sequence[dict[str, Any]], start: float, end: float, attended: Sequence[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Gives every word of WhisperX ({"word", and where known "start", "end", "score"}) a time in [start, end].

    A word counts as aligned when it has a score: WhisperX copies the times of a neighbour to the others, and those
    copies are dropped here for the time that the recognizer `attended` to them, where that lies in the gap, else for an
    even share of it. Words come out in order and do not overlap.
    """
    complete: list[dict[str, Any]] = []
    position = start  # where the words so far end
    runs = [(aligned, list(run)) for aligned, run in groupby(words, key=_is_aligned)]
    for index, (aligned, run) in enumerate(runs):
        if not aligned:
            following = float(runs[index + 1][1][0]["start"]) if index + 1 < len(runs) else end
            gap = position, max(position, min(following, end))
            known = attended[len(complete) : len(complete) + len(run)]
            complete += _in_gap(known, *gap) or spread([word["word"] for word in run], *gap)
        for word in run if aligned else ():
            first = min(max(float(word["start"]), position), end)
            last = min(max(float(word["end"]), first), end)
            complete.append(_word(word["word"], first, last, float(word["score"]), aligned=True))
            position = last
        position = complete[-1]["end"]
    return complete


def _in_gap(attended: Sequence[dict[str, Any]], start: float, end: float) -> list[dict[str, Any]]:
    """Attended words cut to the gap; none where one of them has nothing of itself in it."""
    cut = [word | {"start": max(word["start"], start), "end": min(word["end"], end)} for word in attended]
    return cut if all(word["end"] - word["start"] >= _SHORT for word in cut) else []


def spread(words: Sequence[str], start: float, end: float) -> list[dict[str, Any]]:
    """Shares [start, end] among the words by their length in characters; none of them is `aligned`."""
    return spread_over(words, [(start, end)])


def spread_over(words: Sequence[str], speech: Sequence[Stretch]) -> list[dict[str, Any]]:
    """Shares stretches of speech among the words by their length in characters; a word lies in one of them."""
    total, seconds = sum(len(word) for word in words), sum(end - start for start, end in speech)
    found, characters = [], 0
    for word in words:
        first = _at(speech, seconds * characters / total, starts=True)
        characters += len(word)
        last = _at(speech, seconds * characters / total, starts=False)
        found.append(_word(word, *_longer_side(first, last, speech), None, aligned=False))
    return found


def _at(speech: Sequence[Stretch], spoken: float, *, starts: bool) -> float:
    """When `spoken` seconds of speech are over; between two stretches the later side for what `starts` there."""
    for start, end in speech:
        if spoken < end - start or (not starts and spoken <= end - start):
            return start + spoken
        spoken -= end - start
    return speech[-1][1]


def _longer_side(first: float, last: float, speech: Sequence[Stretch]) -> Stretch:
    """[first, last], or what it has of one stretch where a pause divides it."""
    shared = [(max(first, a), min(last, b)) for a, b in speech if min(last, b) > max(first, a)]
    return max(shared, key=lambda each: each[1] - each[0], default=(first, last))


def _is_aligned(word: dict[str, Any]) -> bool:
    return all(key in word for key in ("start", "end", "score"))


def _word(text: str, start: float, end: float, score: float | None, *, aligned: bool) -> dict[str, Any]:
    return {"text": text, "start": round(start, 3), "end": round(end, 3), "score": score, "aligned": aligned}
