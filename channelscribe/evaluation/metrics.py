"""The field's error rates, each against a known script, and the shortest way from one sequence of words to another.

Needs numpy; the diarization measures need pyannote.metrics and scipy (the extra `speech` brings them). Leaves nothing
behind. Words, turns and times are anything with the attributes named in the protocols.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Pair",
    "Spoken",
    "SpokenTurn",
    "WordErrors",
    "diarization_error_rate",
    "edit_pairs",
    "entity_f1",
    "median_and_p90",
    "normalize",
    "word_error_rate",
    "word_speaker_matches",
    "word_start_errors",
]

Pair = tuple[int | None, int | None]
"""(index in the reference, index in the hypothesis); None where one of them has no such word."""

_NOT_SPOKEN = re.compile(r"[^\w']|_")


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


def normalize(word: str) -> str:
    """The word as it is compared: case folded, without punctuation; apostrophes inside it stay."""
    return _NOT_SPOKEN.sub("", word.casefold().replace("’", "'")).strip("'")


def edit_pairs(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Pair]:
    """Pairs of a cheapest alignment, in order; substitution, deletion and insertion cost 1 each (Levenshtein, "Binary
    codes capable of correcting deletions, insertions, and reversals", 1966).

    Takes memory for len(reference) x len(hypothesis) small integers: 9,000 words of an hour are 330 MB at
    most.
    """
    costs = _costs(reference, hypothesis)
    pairs: list[Pair] = []
    i, j = len(reference), len(hypothesis)
    while i or j:
        if i and j and costs[i, j] == costs[i - 1, j - 1] + (reference[i - 1] != hypothesis[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return pairs[::-1]


def _costs(reference: Sequence[str], hypothesis: Sequence[str]) -> NDArray[np.int32]:
    """costs[i, j]: edits between the first i and the first j words."""
    numbers = {word: number for number, word in enumerate(dict.fromkeys([*reference, *hypothesis]))}
    target = np.array([numbers[word] for word in hypothesis], dtype=np.int32)
    steps = np.arange(len(hypothesis) + 1, dtype=np.int32)
    costs = np.empty((len(reference) + 1, len(hypothesis) + 1), dtype=np.int32)
    costs[0] = steps
    for i, word in enumerate(reference, start=1):
        row = costs[i - 1] + 1
        row[1:] = np.minimum(row[1:], costs[i - 1, :-1] + (target != numbers[word]))
        # an insertion costs 1 for every step to the right: a running minimum once the steps are taken off
        costs[i] = np.minimum.accumulate(row - steps) + steps
    return costs
