"""Which language is spoken, decided on several windows of speech across the recording.

Needs nothing; the recognizer is given as a function. WhisperX decides on the first 30 s, where there is often
music, a jingle, or a greeting in another language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from channelscribe.speech.vad import Chunk

__all__ = ["Decision", "decide", "windows"]

_FEWEST, _MOST = 3, 9  # windows; each costs one pass of the encoder
_MINUTES_A_WINDOW = 5
_SHORTEST = 1.0  # seconds of speech under which a window says little
_SURE = 0.5  # probability from which a window's language counts as spoken there
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


def decide(votes: Sequence[tuple[float, Mapping[str, float]]]) -> Decision:
    """The language of windows, each given as (seconds of speech, probability of each language code).

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
    mixed = any(each != language and share >= _MIXED_SHARE for each, share in shares.items())
    rounded = {each: round(share, 3) for each, share in sorted(shares.items(), key=lambda item: -item[1])}
    return Decision(language, round(means[language], 3), rounded, mixed)
