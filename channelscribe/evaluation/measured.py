"""Transcripts of recordings whose script is known, and how far they are from it.

Needs numpy; the measures of speakers need the extra `speech`. Leaves nothing behind. Rates are shares of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from channelscribe.evaluation import metrics
from channelscribe.sample import world
from channelscribe.sample.script import Script
from channelscribe.transcript import Transcript, Turn

__all__ = [
    "Measured",
    "dialogues",
    "diarization_error_rate",
    "script_of",
    "word_error_rate",
    "word_speaker_accuracy",
    "word_start_errors",
]

_SAMPLE_SITE = "generic"  # yt-dlp's name for a feed
_SAME_LENGTH = 1.0  # seconds


@dataclass(frozen=True)
class Measured:
    """A recording, what is said in it, and what was made of it."""

    id: str
    script: Script
    transcript: Transcript


def script_of(site: str, video_id: str, seconds: float) -> Script | None:
    """The script of a video in the library, where it is known: of the sample channel's episodes."""
    for episode in world.episodes() if site == _SAMPLE_SITE else []:
        if episode.id == video_id and abs(episode.duration - seconds) < _SAME_LENGTH:
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
