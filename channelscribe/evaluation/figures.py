"""What can be said of transcripts in figures, from what they tell of themselves and, where it is known, their script.

Needs numpy; the measures of speakers need the extra `speech`, without which the diarization error rate is None. Leaves
nothing behind. Figures are JSON: shares of 1, seconds and milliseconds as they are named, None where there is nothing
to measure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from channelscribe.evaluation import metrics
from channelscribe.sample import world
from channelscribe.sample.script import Script
from channelscribe.speech.provenance import STAGES
from channelscribe.transcript import Transcript, Turn

__all__ = [
    "Measured",
    "against_scripts",
    "coverage",
    "dialogues",
    "diarization_error_rate",
    "of_transcript",
    "real_time_factors",
    "script_of",
    "word_error_rate",
    "word_speaker_accuracy",
    "word_start_errors",
]

Figures = dict[str, Any]

_OF_A_FEED = ("feed", "generic")  # the second in libraries of before 0.2.0
_SAME_LENGTH = 1.0  # seconds


@dataclass(frozen=True)
class Measured:
    """A recording, what is said in it, and what was made of it."""

    id: str
    script: Script
    transcript: Transcript


def of_transcript(transcript: Transcript) -> Figures:
    """{"language", "seconds", "segments", "words", "interpolated": share of words, "median_score", "speech_seconds",
    "coverage" of it by words, "gaps" and "unheard": [[start, end]] of speech without words, "flags": {flag: segments},
    "flagged": [[start, end, flags]], "decoded_again", "mixed_languages", "note", "speakers": {name: {"seconds",
    "words"}}, "models", "stages"}.

    What transcripts of earlier versions do not tell is None, or empty.
    """
    words, quality = transcript.words, transcript.quality
    scores = [word.score for word in words if word.score is not None]
    return {
        "language": transcript.language,
        "seconds": transcript.duration,
        "no_speech": transcript.no_speech,
        "segments": len(transcript.segments),
        "words": len(words),
        "interpolated": _share(sum(not word.aligned for word in words), len(words)),
        "median_score": round(median(scores), 3) if scores else None,
        "speech_seconds": quality.get("speech_seconds"),
        "coverage": quality.get("coverage"),
        "gaps": quality.get("gaps", []),
        "unheard": quality.get("unheard", []),
        "flags": dict(Counter(flag for segment in transcript.segments for flag in segment.flags)),
        "flagged": [[segment.start, segment.end, segment.flags] for segment in transcript.segments if segment.flags],
        "decoded_again": quality.get("decoded_again"),
        "mixed_languages": quality.get("mixed_languages"),
        "note": quality.get("note"),
        "speakers": _speakers(transcript),
        "models": transcript.models,
        "stages": transcript.stages,
    }


def _speakers(transcript: Transcript) -> dict[str, Figures]:
    said = Counter(word.speaker for word in transcript.words)
    seconds = dict.fromkeys(transcript.speakers, 0.0)
    for turn in transcript.turns:
        seconds[turn.speaker] += turn.end - turn.start
    return {name: {"seconds": round(seconds[name], 1), "words": said[name]} for name in transcript.speakers}


def against_scripts(measured: Sequence[Measured]) -> Figures:
    """{"wer", "word_start_median_ms", "word_start_p90_ms", "der", "coverage"} of these recordings together.

    The diarization error rate is that of the dialogues among them, with 250 ms left out on either side of a border.
    """
    middle, p90 = metrics.median_and_p90(word_start_errors(measured))
    return {
        "wer": _known(word_error_rate(measured)),
        "word_start_median_ms": _known(1000 * middle, 1),
        "word_start_p90_ms": _known(1000 * p90, 1),
        "der": _der(measured),
        "coverage": coverage([each.transcript for each in measured]),
    }


def _der(measured: Sequence[Measured]) -> float | None:
    told_apart = [each for each in dialogues(measured) if each.transcript.models.get("diarizer")]
    try:
        return _known(diarization_error_rate(told_apart)) if told_apart else None
    except ImportError:
        return None


def coverage(transcripts: Sequence[Transcript]) -> float | None:
    """Seconds of speech covered by words over seconds of speech found, of those that tell."""
    told = [t.quality for t in transcripts if t.quality.get("speech_seconds") and "covered_seconds" in t.quality]
    seconds = sum(quality["speech_seconds"] for quality in told)
    return _share(sum(quality["covered_seconds"] for quality in told), seconds)


def real_time_factors(transcripts: Sequence[Transcript]) -> dict[str, float | None]:
    """For each stage seconds of audio over seconds of work, of those that tell: more is faster."""
    found: dict[str, float | None] = {}
    for name, model in STAGES.items():
        told = [t for t in transcripts if name in t.stages and t.models.get(model)]
        work = sum(t.stages[name]["seconds"] for t in told)
        found[name] = round(sum(t.duration for t in told) / work, 2) if work else None
    return found


def script_of(site: str, guid: str, seconds: float) -> Script | None:
    """The script of a video in the library, where it is known: of the sample channel's episodes."""
    for episode in world.episodes() if site in _OF_A_FEED else []:
        if episode.id == guid and abs(episode.duration - seconds) < _SAME_LENGTH:
            return episode.script
    return None


def word_error_rate(measured: Sequence[Measured]) -> float:
    counts = (metrics.word_error_rate(each.script.text, each.transcript.text) for each in measured)
    return sum(counts, metrics.WordErrors()).rate


def word_start_errors(measured: Sequence[Measured]) -> list[float]:
    """|error| in seconds of each word that was recognized rightly."""
    return [e for m in measured for e in metrics.word_start_errors(m.script.words, m.transcript.words)]


def dialogues(measured: Sequence[Measured]) -> list[Measured]:
    """Those in which more than one speaks: where telling them apart can go wrong."""
    return [each for each in measured if len(each.script.speakers) > 1]


def diarization_error_rate(measured: Sequence[Measured], collar: float = 0.25) -> float:
    """`collar` in seconds, on either side of a border; see `metrics.diarization_error_rate`."""
    parts = [
        metrics.diarization_error_rate(
            [Turn(*stretch) for stretch in each.script.speech], each.transcript.turns, collar
        )
        for each in measured
    ]
    return sum(wrong for wrong, _ in parts) / (sum(total for _, total in parts) or 1.0)


def word_speaker_accuracy(measured: Sequence[Measured]) -> float:
    """The share of words with the right speaker."""
    parts = [metrics.word_speaker_matches(each.script.words, each.transcript.words) for each in measured]
    return sum(right for right, _ in parts) / (sum(total for _, total in parts) or 1)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _known(value: float, digits: int = 4) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
