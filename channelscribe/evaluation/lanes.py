"""What a picture of a transcript shows, a lane each: speech, words, gaps, flags, speakers. Needs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from channelscribe.evaluation.bars import Kinds, Stretch
from channelscribe.transcript import Transcript, Word

__all__ = ["COLOURS", "LEGEND", "Lane", "lanes"]

_SPEAKER_LANES = 6  # those who speak most; the others share one more

# Colours that people with any colour vision tell apart (Okabe and Ito, "Color Universal Design", 2008).
COLOURS = {
    "speech": "#b9c3cc", "sure": "#009e73", "unsure": "#e69f00", "doubt": "#d55e00", "guess": "#56b4e9",
    "gap": "#c0132c", "flag": "#7b3294",
    "s0": "#0072b2", "s1": "#cc79a7", "s2": "#009e73", "s3": "#e69f00", "s4": "#7b3294", "s5": "#56b4e9",
    "s6": "#888888",
}  # fmt: skip
"""Of each kind of bar."""

_WORDS: tuple[tuple[str, str, Callable[[Word], bool]], ...] = (
    ("sure", "word, score ≥ 0.6", lambda word: word.aligned and (word.score is None or word.score >= 0.6)),
    ("unsure", "0.3 to 0.6", lambda word: word.aligned and word.score is not None and 0.3 <= word.score < 0.6),
    ("doubt", "below 0.3", lambda word: word.aligned and word.score is not None and word.score < 0.3),
    ("guess", "time interpolated", lambda word: not word.aligned),
)

LEGEND = (
    ("speech", "speech found"),
    *((kind, says) for kind, says, _ in _WORDS),
    ("gap", "speech without words"),
    ("flag", "doubted by the quality gate"),
)
"""Kinds that need a word, and the word."""


@dataclass(frozen=True)
class Lane:
    """A name, and stretches of one kind or several: keys of COLOURS."""

    name: str
    stretches: Kinds


def lanes(transcript: Transcript) -> list[Lane]:
    """Speech and gaps as the stages found them; transcripts of earlier versions do not tell, and have no such bars."""
    quality = transcript.quality
    words = [(kind, [(w.start, w.end) for w in transcript.words if fits(w)]) for kind, _, fits in _WORDS]
    flagged = [(segment.start, segment.end) for segment in transcript.segments if segment.flags]
    gaps = [*_stretches(quality.get("gaps")), *_stretches(quality.get("unheard"))]
    fixed = [
        Lane("speech", [("speech", _stretches(quality.get("speech")))]),
        Lane("words", words),
        Lane("no words", [("gap", gaps)]),
        Lane("flagged", [("flag", flagged)]),
    ]
    return fixed + _speakers(transcript)


def _speakers(transcript: Transcript) -> list[Lane]:
    """A lane for each of those who speak most, in the order of their names, and one for the others together."""
    turns: dict[str, list[Stretch]] = {}
    for turn in transcript.turns:
        turns.setdefault(turn.speaker, []).append((turn.start, turn.end))
    most = sorted(turns, key=lambda name: sum(end - start for start, end in turns[name]), reverse=True)
    shown, others = sorted(most[:_SPEAKER_LANES]), most[_SPEAKER_LANES:]
    lanes = [Lane(name, [(f"s{place}", turns[name])]) for place, name in enumerate(shown)]
    if others:
        lanes.append(
            Lane(f"{len(others)} others", [(f"s{_SPEAKER_LANES}", [turn for o in others for turn in turns[o]])])
        )
    return lanes


def _stretches(found: Any) -> list[Stretch]:
    return [(float(start), float(end)) for start, end in found or []]
