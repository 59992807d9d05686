"""The field's error rates, each against a known script.

Needs numpy; the diarization measures need pyannote.metrics and scipy (the extra `speech` brings them). Leaves
nothing behind. Words, turns and times are anything with the attributes named in the protocols.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from channelscribe.evaluation.edits import edit_pairs, normalize

__all__ = [
    "Spoken",
    "SpokenTurn",
    "WordErrors",
    "diarization_error_rate",
    "entity_f1",
    "median_and_p90",
    "word_error_rate",
    "word_speaker_matches",
    "word_start_errors",
]


class Spoken(Protocol):
    """A word with its time in seconds."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def speaker(self) -> str | None: ...


class SpokenTurn(Protocol):
    """A stretch of one speaker, in seconds."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def speaker(self) -> str: ...


@dataclass(frozen=True)
class WordErrors:
    """Counts of word edits; they add up over recordings."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_words: int = 0

    @property
    def rate(self) -> float:
        """(S + D + I) / N; where nothing was said, 0 for nothing heard and infinite for anything."""
        errors = self.substitutions + self.deletions + self.insertions
        if not self.reference_words:
            return float("inf") if errors else 0.0
        return errors / self.reference_words

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference_words + other.reference_words,
        )


def word_error_rate(reference: str, hypothesis: str) -> WordErrors:
    """Edits between two texts, words compared as `edits.normalize` makes them: no case, no punctuation."""
    said, heard = _normalized(reference.split()), _normalized(hypothesis.split())
    counts: Counter[str] = Counter()
    for i, j in edit_pairs(said, heard):
        if i is None or j is None:
            counts["insertion" if i is None else "deletion"] += 1
        else:
            counts["substitution"] += said[i] != heard[j]
    return WordErrors(counts["substitution"], counts["deletion"], counts["insertion"], len(said))


def word_start_errors(reference: Sequence[Spoken], hypothesis: Sequence[Spoken]) -> list[float]:
    """|start error| in seconds of each word that was recognized rightly; see `median_and_p90`."""
    return [
        abs(heard.start - said.start)
        for said, heard in _paired(reference, hypothesis)
        if normalize(said.text) == normalize(heard.text)
    ]


def median_and_p90(values: Sequence[float]) -> tuple[float, float]:
    """Median and 90th percentile; NaN for no values."""
    if not values:
        return float("nan"), float("nan")
    return float(np.median(values)), float(np.percentile(values, 90))


def word_speaker_matches(reference: Sequence[Spoken], hypothesis: Sequence[Spoken]) -> tuple[int, int]:
    """(words with the right speaker, words compared), under the best one-to-one naming of speakers.

    Words are compared where the edit alignment pairs them, rightly recognized or not.
    """
    from scipy.optimize import linear_sum_assignment

    together = Counter((said.speaker, heard.speaker) for said, heard in _paired(reference, hypothesis))
    sayers = sorted({said for said, _ in together}, key=str)
    hearers = sorted({heard for _, heard in together if heard is not None})
    shared = np.array([[together[said, heard] for heard in hearers] for said in sayers]).reshape(
        len(sayers), len(hearers)
    )
    rows, columns = linear_sum_assignment(shared, maximize=True)
    return int(shared[rows, columns].sum()), sum(together.values())


def diarization_error_rate(
    reference: Sequence[SpokenTurn], hypothesis: Sequence[SpokenTurn], collar: float = 0.25
) -> tuple[float, float]:
    """(seconds of missed, false and confused speech, seconds of reference speech); their ratio is the DER.

    `collar` seconds on EITHER side of each reference boundary are left out, as in NIST's Rich Transcription
    evaluations (pyannote.metrics counts both sides together). Overlapping speech counts.
    """
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    def annotation(turns: Sequence[SpokenTurn]) -> Annotation:
        made = Annotation()
        for track, turn in enumerate(turns):
            made[Segment(turn.start, turn.end), track] = turn.speaker
        return made

    everything = [*reference, *hypothesis]
    if not everything:
        return 0.0, 0.0
    whole = Timeline([Segment(min(t.start for t in everything), max(t.end for t in everything))])
    metric = DiarizationErrorRate(collar=2 * collar, skip_overlap=False)
    found = metric(annotation(reference), annotation(hypothesis), uem=whole, detailed=True)
    wrong = found["missed detection"] + found["false alarm"] + found["confusion"]
    return float(wrong), float(found["total"])


def entity_f1(reference: Iterable[Hashable], hypothesis: Iterable[Hashable]) -> float:
    """Micro F1 over mentions as multisets; what makes two mentions one (span, key, label) is in the items.

    1 for two empty sides.
    """
    wanted, found = Counter(reference), Counter(hypothesis)
    total = wanted.total() + found.total()
    return 2 * (wanted & found).total() / total if total else 1.0


def _normalized(words: Iterable[str]) -> list[str]:
    return [word for word in map(normalize, words) if word]


def _paired(reference: Sequence[Spoken], hypothesis: Sequence[Spoken]) -> list[tuple[Spoken, Spoken]]:
    said = [word for word in reference if normalize(word.text)]
    heard = [word for word in hypothesis if normalize(word.text)]
    pairs = edit_pairs([normalize(word.text) for word in said], [normalize(word.text) for word in heard])
    return [(said[i], heard[j]) for i, j in pairs if i is not None and j is not None]
