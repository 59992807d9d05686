"""What is said in a recording, exactly: words, speaker turns, sentences and named entities, with their times.

All times are seconds on the timeline of the decoded media file. One JSON file a recording (`Script.read`,
`Script.write`); its layout is that of the dataclasses here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Word:
    """One spoken word with the punctuation attached to it ("Lisbon,"), and who says it."""

    text: str
    start: float
    end: float
    speaker: str


@dataclass(frozen=True)
class Turn:
    """A stretch in which one speaker talks, from the first word to the last, short pauses included.

    ``voice`` is the espeak-ng voice behind the speaker.
    """

    speaker: str
    voice: str
    start: float
    end: float


@dataclass(frozen=True)
class Sentence:
    """One sentence; ``start`` of its first word to ``end`` of its last."""

    text: str
    speaker: str
    start: float
    end: float


@dataclass(frozen=True)
class Entity:
    """A name in a sentence. ``label`` is PERSON, GPE, ORG or DATE, as in spaCy.

    ``sentence`` is the index of the sentence, ``start_char`` and ``end_char`` are offsets into its text;
    ``start`` and ``end`` are the times of the words that hold the name.
    """

    text: str
    label: str
    sentence: int
    start_char: int
    end_char: int
    start: float
    end: float


@dataclass(frozen=True)
class Script:
    """Everything that is said in one recording, in order. A recording without speech has four empty lists."""

    words: list[Word]
    turns: list[Turn]
    sentences: list[Sentence]
    entities: list[Entity]

    @property
    def text(self) -> str:
        """The whole text, sentences joined by a space: the reference of a word error rate."""
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def speakers(self) -> list[str]:
        """The speakers in order of appearance."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns))

    @property
    def speech(self) -> list[tuple[float, float, str]]:
        """When somebody really speaks, as ``(start, end, speaker)`` a sentence: the reference of a DER."""
        return [(sentence.start, sentence.end, sentence.speaker) for sentence in self.sentences]

    @classmethod
    def from_dict(cls, data: dict[str, list[dict[str, Any]]]) -> Script:
        return cls(
            [Word(**word) for word in data["words"]],
            [Turn(**turn) for turn in data["turns"]],
            [Sentence(**sentence) for sentence in data["sentences"]],
            [Entity(**entity) for entity in data["entities"]],
        )

    @classmethod
    def read(cls, path: Path) -> Script:
        return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Writes the JSON file, one record a line so that a change can be read in a diff."""
        parts = []
        for name, records in asdict(self).items():
            lines = [f"  {json.dumps(record, ensure_ascii=False)}" for record in records]
            parts.append(f' "{name}": [' + ("\n" + ",\n".join(lines) + "\n ]" if lines else "]"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
