"""What is read in a transcript: sentences, tokens and entities. Plain records; they travel as JSON.

Every record has its characters (`start_char`, `end_char`, offsets into `Transcript.text`), its time (`start`,
`end` in seconds) and its speaker (None where nobody was told apart).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Entity", "Reading", "Sentence", "Token"]


@dataclass(slots=True)
class Sentence:
    """One sentence; it may run over several segments."""

    text: str
    start_char: int
    end_char: int
    start: float
    end: float
    speaker: str | None = None


@dataclass(slots=True)
class Token:
    """One token. `lemma` and `pos` (Universal POS tag) are None where the pipeline has no tagger."""

    text: str
    lemma: str | None
    pos: str | None
    is_stop: bool
    start_char: int
    end_char: int
    start: float
    end: float
    speaker: str | None = None


@dataclass(slots=True)
class Entity:
    """One mention of a name, with the pipeline's `label` (PERSON, GPE, ...). One name's mentions share a
    `key`.
    """

    text: str
    label: str
    key: str
    start_char: int
    end_char: int
    start: float
    end: float
    speaker: str | None = None


@dataclass(slots=True)
class Reading:
    """All that was read in one transcript.

    `models` says what read it: {"sentences": {"model", "trained"}, "pipeline": {"name", "version",
    "entities", "lemmas", "pos"}, "note": why something is missing, or None}.
    """

    language: str
    sentences: list[Sentence] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Reading:
        records = {
            "sentences": [Sentence(**item) for item in data.get("sentences", [])],
            "tokens": [Token(**item) for item in data.get("tokens", [])],
            "entities": [Entity(**item) for item in data.get("entities", [])],
        }
        return cls(**{**data, **records})
