"""What is read in a transcript: sentences, tokens, entities, topics, key phrases. Plain records; they travel as JSON.

Every record has its characters (`start_char`, `end_char`, offsets into `Transcript.text`), its time (`start`,
`end` in seconds) and its speaker (None where nobody was told apart). `text`, where there is one, is exactly these
characters.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from channelscribe.text.tokens import Token, Tokens

__all__ = ["Entity", "KeyPhrase", "Reading", "Sentence", "Token", "Tokens", "Topic"]


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
class Topic:
    """One stretch about one subject, whole sentences long; `words` are its typical ones, the best first, and `title`
    is what it can be called; empty in readings of earlier versions.
    """

    words: list[str]
    start_char: int
    end_char: int
    start: float
    end: float
    speaker: str | None = None
    title: str = ""


@dataclass(slots=True)
class KeyPhrase:
    """What the talk is about, the best phrase first; the place is that of the first of its `mentions`."""

    text: str
    key: str
    score: float
    mentions: int
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
    tokens: Tokens = field(default_factory=Tokens)
    entities: list[Entity] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)
    topics: list[Topic] = field(default_factory=list)
    key_phrases: list[KeyPhrase] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        parts = {name: _plain(kind, getattr(self, name)) for name, kind in _PARTS.items()}
        return {"language": self.language, "models": self.models, "tokens": self.tokens.plain(), **parts}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Reading:
        """What `to_dict` made, of this version or an older one (no topics, no key phrases, a record a token).

        Other keys, such as those that `channelscribe process` adds, are left out.
        """
        parts = {name: [kind(**item) for item in data.get(name, [])] for name, kind in _PARTS.items()}
        tokens = Tokens.from_plain(data.get("tokens", []))
        return cls(data["language"], tokens=tokens, models=data.get("models", {}), **parts)


_PARTS: dict[str, type[Any]] = {
    "sentences": Sentence, "entities": Entity, "topics": Topic, "key_phrases": KeyPhrase,
}  # fmt: skip


def _plain(kind: type[Any], records: list[Any]) -> list[dict[str, Any]]:
    """What `dataclasses.asdict` gives, which copies every value deeply and takes ten times as long."""
    names = [each.name for each in fields(kind)]
    values = attrgetter(*names)
    return [dict(zip(names, values(record), strict=True)) for record in records]
