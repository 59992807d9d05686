"""What is wrong with a decoded stretch of speech, if anything: the quality gate that WhisperX lacks.

Needs nothing, leaves nothing behind. Thresholds on compression and log-probability are Whisper's own (Radford
et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, section 4.5); the rates of words are
wide bounds around speech: audiobooks run at 2.5 words a second, auctioneers at 6.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from channelscribe.languages import is_without_spaces, words_of
from channelscribe.speech.hallucinations import is_boilerplate
from channelscribe.speech.vad import Stretch

__all__ = ["FLAGS", "Decoded", "compression_ratio", "coverage", "flags", "has_gaps", "is_fuller"]

FLAGS = {
    "no_text": "speech was heard but no word was recognized",
    "repetitive": "the text says the same again and again",
    "unsure": "the recognizer was unsure of its words",
    "too_fast": "more words than anybody says in that time",
    "too_sparse": "far fewer words than speech",
    "gaps": "sound between the words of hurried talk, of which some may be missing",
    "boilerplate": "a phrase that recognizers invent where nobody speaks",
    "invented": "words where the recognizer itself hears no speech, or has no time for them",
}
"""Why a segment is suspect, for people."""

_COMPRESSION = 2.4
_LOGPROB = -1.0
_FASTEST, _SLOWEST = 8.0, 0.4  # words a second of speech
_CHARACTERS_A_WORD = 2.0  # where words are characters, of which more are said in a second
_SPARSE_SECONDS = 5.0  # of speech, below which few words are just a short answer
_HEARD_SECONDS = 1.0  # of speech, below which no text is a right answer: a cough, a knock
_NO_SPEECH = 0.3  # probability from which a phrase known as boilerplate is believed to be invented
# Whisper's own rule for silence is 0.6 with a log-probability below -1; what is surer of its words is still doubtful
# where it hears nobody, and what is as unsure needs less.
_SILENT = ((0.6, -0.5), (_NO_SPEECH, _LOGPROB))
_MOST_LETTERS, _EDGES = 35.0, 0.2  # letters a second nobody speaks; and seconds that a detector may be off
# Measured with Whisper base: what readers say is surer than -0.14; talk in which words were lost (telephone, meetings)
# is less sure than -0.17 and has a second or more of sound between its words; the fuller answer of the two was right.
_LESS_SURE, _GAP_SECONDS, _MUCH_LESS_SURE = -0.15, 1.0, 0.25
_NEAR_SECONDS = 0.5  # speech this near to a word counts as covered: pauses, breath, rounded times


@dataclass(frozen=True)
class Decoded:
    """What a recognizer made of one stretch. Probabilities are natural logarithms or 0 to 1, as they are named;
    `tokens` are the recognizer's own.
    """

    text: str
    avg_logprob: float
    no_speech_prob: float
    temperature: float = 0.0
    tokens: tuple[int, ...] = ()


def compression_ratio(text: str) -> float:
    """Bytes of the text over bytes of it compressed by zlib, as Whisper measures repetition."""
    data = text.encode("utf-8")
    return len(data) / len(zlib.compress(data)) if data else 0.0


def flags(decoded: Decoded, speech_seconds: float, language: str | None) -> list[str]:
    """The keys of FLAGS that apply, given the seconds of speech that the detector found there."""
    words = words_of(decoded.text, language)
    if not words:
        return ["no_text"] if speech_seconds >= _HEARD_SECONDS else []
    rate = len(words) / max(speech_seconds, 0.1) / (_CHARACTERS_A_WORD if is_without_spaces(language) else 1.0)
    doubtful = decoded.no_speech_prob >= _NO_SPEECH or decoded.avg_logprob < _LOGPROB / 2 or rate < 1.0
    found = {
        "repetitive": compression_ratio(decoded.text) > _COMPRESSION,
        "unsure": decoded.avg_logprob < _LOGPROB,
        "too_fast": rate > _FASTEST and len(words) > 3,
        "too_sparse": rate < _SLOWEST and speech_seconds >= _SPARSE_SECONDS,
        "boilerplate": doubtful and is_boilerplate(decoded.text, language),
        "invented": _is_invented(decoded, speech_seconds, language),
    }
    return [name for name, applies in found.items() if applies]


def _is_invented(decoded: Decoded, speech_seconds: float, language: str | None) -> bool:
    """Whether there cannot be speech behind the words: nobody is heard, or nobody could say them in that time."""
    if any(decoded.no_speech_prob >= silent and decoded.avg_logprob < sure for silent, sure in _SILENT):
        return True
    letters = sum(map(len, words_of(decoded.text, language)))
    if is_without_spaces(language):
        letters *= 3  # a syllable each
    return letters / (speech_seconds + _EDGES) > _MOST_LETTERS


def has_gaps(decoded: Decoded, unsaid_seconds: float) -> bool:
    """Whether words may be missing, given the seconds of sound in the speech that no word has."""
    return unsaid_seconds >= _GAP_SECONDS and decoded.avg_logprob < _LESS_SURE


def is_fuller(second: Decoded, first: Decoded, speech_seconds: float, language: str | None) -> bool:
    """Whether a second answer has more words than the first, is about as sure, and has nothing wrong with it."""
    more = len(words_of(second.text, language)) > len(words_of(first.text, language))
    sure = second.avg_logprob >= first.avg_logprob - _MUCH_LESS_SURE
    return more and sure and not flags(second, speech_seconds, language)


def coverage(speech: Sequence[Stretch], words: Sequence[Stretch]) -> tuple[float, list[Stretch]]:
    """(seconds of speech covered by words, stretches of a second or more that are not), both given by time.

    Speech is covered where a word is at most half a second away.
    """
    reach = _merged([(start - _NEAR_SECONDS, end + _NEAR_SECONDS) for start, end in words])
    covered, gaps, first = 0.0, [], 0
    for start, end in speech:
        while first < len(reach) and reach[first][1] <= start:
            first += 1
        position, place = start, first
        while place < len(reach) and reach[place][0] < end:
            a, b = max(reach[place][0], start), min(reach[place][1], end)
            gaps.append((position, a))
            covered += b - a
            position, place = b, place + 1
        gaps.append((position, end))
    return covered, [(round(a, 3), round(b, 3)) for a, b in gaps if b - a >= 1.0]


def _merged(stretches: Sequence[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
