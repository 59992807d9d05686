"""Which language is spoken: the recording's, decided on several windows across it, and that of each stretch.

Needs nothing; the recognizer is given as a function. WhisperX decides on the first 30 s, where there is often
music, a jingle, or a greeting in another language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log

from channelscribe.speech.vad import Chunk

__all__ = ["PROBE", "Decision", "Run", "decide", "runs", "windows"]

_FEWEST, _MOST = 3, 9  # windows; each costs one pass of the encoder
_MINUTES_A_WINDOW = 5
_SHORTEST = 1.0  # seconds of speech under which a window says little
_SURE = 0.5  # probability from which a window's language counts as spoken there
PROBE = 8.0
"""Seconds of what the encoder heard that tell the language; three are often wrong, eight never were."""
_CLEAR, _SLIGHT = 0.8, 0.1  # probability from which a stretch is in another language, and up to which in the main one
_PIECE, _STEP, _MOST_LEAN = PROBE / 2, 0.5, 3.0  # seconds; and the most that a piece says for a language (log of odds)
_LITTLE_SECONDS, _STRONG = 15.0, 0.9  # of speech; and the probability that outweighs what is usual
_MIXED_SHARE = 0.2  # of the windows' speech in another language, from which the recording counts as mixed


@dataclass(frozen=True)
class Decision:
    """The language code, its mean probability, the shares of other languages, and whether they are many."""

    language: str
    probability: float
    shares: dict[str, float]
    mixed: bool


def windows(found: Sequence[Chunk]) -> list[Chunk]:
    """Some of the chunks with much speech, spread evenly over the recording; all of them where they are few."""
    long_enough = [chunk for chunk in found if chunk.speech_seconds >= _SHORTEST] or list(found)
    minutes = sum(chunk.speech_seconds for chunk in long_enough) / 60
    count = max(_FEWEST, min(_MOST, round(minutes / _MINUTES_A_WINDOW)))
    if len(long_enough) <= count:
        return long_enough
    # Of each equal part of the recording the chunk with the most speech.
    parts = groupby(range(len(long_enough)), key=lambda i: i * count // len(long_enough))
    return [max((long_enough[i] for i in part), key=lambda chunk: chunk.speech_seconds) for _, part in parts]


def decide(
    votes: Sequence[tuple[float, Mapping[str, float]]], usual: Callable[[], str | None] = lambda: None
) -> Decision:
    """The language of windows, each given as (seconds of speech, probability of each language code).

    Of less than a quarter of a minute it is the `usual` one, where there is one, unless another is nearly sure; it is
    asked for then only.

    A window weighs as much as it has speech. The recording is `mixed` when at least a fifth of the weight is
    of windows that are surely in another language than the one decided on.
    """
    total = sum(seconds for seconds, _ in votes)
    means: dict[str, float] = {}
    shares: dict[str, float] = {}
    for seconds, probabilities in votes:
        for language, probability in probabilities.items():
            means[language] = means.get(language, 0.0) + probability * seconds / total
        best = max(probabilities, key=lambda language: probabilities[language])
        if probabilities[best] >= _SURE:
            shares[best] = shares.get(best, 0.0) + seconds / total
    language = max(means, key=lambda each: means[each])
    if total < _LITTLE_SECONDS and means[language] < _STRONG and (likely := usual()):
        language = likely
        means.setdefault(likely, 0.0)
    mixed = any(each != language and share >= _MIXED_SHARE for each, share in shares.items())
    rounded = {each: round(share, 3) for each, share in sorted(shares.items(), key=lambda item: -item[1])}
    return Decision(language, round(means[language], 3), rounded, mixed)


Run = tuple[float, float, str]
"""A stretch in one language: start, end, code."""


def runs(
    seconds: float,
    main: str,
    heard: Callable[[Sequence[tuple[float, float]]], Sequence[Mapping[str, float]]],
    pauses: Callable[[float, float], float],
) -> list[Run]:
    """A chunk of so many seconds in stretches of one language each; mostly it is one, in the `main` language.

    `heard` gives the probability of each language in stretches of equal length; `pauses` the quietest moment between
    two times. Another language is believed only where it is clear; where one changes to the other is looked for around
    the border.
    """
    count = max(1, int(seconds / PROBE))
    parts = [(seconds * place / count, seconds * (place + 1) / count) for place in range(count)]
    told = [_clear(each, main) for each in heard(parts)]
    known = [each or main for each in told if each]
    if all(each == main for each in known):
        return [(0.0, seconds, main)]
    if len(set(known)) == 1:
        return [(0.0, seconds, known[0])]
    found: list[Run] = []
    start, place = 0.0, next(place for place, each in enumerate(told) if each)
    for later in range(place + 1, count):
        one, other = told[place], told[later]
        if not other or one is None:
            continue
        if one != other:
            border = _border(parts[place], parts[later], (one, other), seconds, heard, pauses)
            found.append((start, border, one))
            start = border
        place = later
    return [*found, (start, seconds, told[place] or main)]


def _clear(heard: Mapping[str, float], main: str) -> str | None:
    """The language of a stretch, None where it is not clear."""
    best = max(heard, key=lambda each: heard[each])
    if heard[best] < _CLEAR or (best != main and heard.get(main, 0.0) > _SLIGHT):
        return None
    return best


def _border(
    before: tuple[float, float],
    after: tuple[float, float],
    languages: tuple[str, str],
    seconds: float,
    heard: Callable[[Sequence[tuple[float, float]]], Sequence[Mapping[str, float]]],
    pauses: Callable[[float, float], float],
) -> float:
    """Where the first language ends, to the nearest pause: as many as possible of the pieces before it are in the one,
    of those after it in the other. A single piece may be heard wrongly.
    """
    first, last = max(0.0, before[0]), min(seconds, after[1]) - _PIECE
    steps = max(1, round((last - first) / _STEP))
    begins = [first + (last - first) * step / steps for step in range(steps + 1)]
    one, other = languages
    leans = [
        max(-_MOST_LEAN, min(_MOST_LEAN, log((each.get(one, 0.0) + 1e-6) / (each.get(other, 0.0) + 1e-6))))
        for each in heard([(begin, begin + _PIECE) for begin in begins])
    ]
    # A border after so many pieces; each piece stands for its middle.
    place = max(range(1, len(leans)), key=lambda at: sum(leans[:at]) - sum(leans[at:]), default=0)
    border = begins[place] + (_PIECE - (last - first) / steps) / 2
    return pauses(max(0.5, border - 1.0), min(seconds - 0.5, border + 1.0))
