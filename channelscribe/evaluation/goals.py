"""What the bundled models should reach on the sample channel. Needs nothing."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GOALS", "Goal"]


@dataclass(frozen=True)
class Goal:
    """A bound on one figure of the sample report: at most, or at least."""

    name: str
    says: str
    bound: float
    at_most: bool

    def met(self, figure: float) -> bool:
        return figure <= self.bound if self.at_most else figure >= self.bound


GOALS = (
    Goal("wer_held_out", "word error rate, held-out sentences", 0.05, at_most=True),
    Goal("wer_episodes", "word error rate, episodes", 0.05, at_most=True),
    Goal("word_start_median_ms", "word start error, median, ms", 40, at_most=True),
    Goal("word_start_p90_ms", "word start error, 90th percentile, ms", 120, at_most=True),
    Goal("der", "diarization error rate, dialogues, ±250 ms", 0.15, at_most=True),
    Goal("der_no_collar", "diarization error rate, dialogues, strict", 0.15, at_most=True),
    Goal("word_speaker", "words with the right speaker, dialogues", 0.95, at_most=False),
    Goal("ner_f1_clean", "entity F1, script's text", 0.90, at_most=False),
    Goal("ner_f1_recognized", "entity F1, recognized text", 0.85, at_most=False),
)
