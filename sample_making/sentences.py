"""The sentences of the sample world: what is said on the sample channel, and what its models learn from.

Templates over some 440 words: weather, space, cooking and trains; people, places and organizations. Every
sentence comes with its entities, labelled as spaCy's English models label them. A stable hash sets one
sentence in ten apart: no model sees those in training, and the episodes and tests are made of them alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from random import Random

from sample_making.vocabulary import SLOTS, TEMPLATES

# espeak calls British English "en" where one would expect "en-gb".
_ACCENTS = ("en-us", "en", "en-gb-x-rp")
_VARIANTS = ("", "+m1", "+m2", "+m3", "+m4", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5")

# The odder espeak voices (whisper, klatt, scotland) cost a small model much and are left out.
VOICES = [accent + variant for accent in _ACCENTS for variant in _VARIANTS]

_HELD_OUT_SHARE = 10
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Sentence:
    """A sentence and its entities as (first character, one past the last, label)."""

    text: str
    entities: list[tuple[int, int, str]]


def sentence(rng: Random) -> Sentence:
    """A sensible sentence; may be held out or not, see ``is_held_out``."""
    template = rng.choice(TEMPLATES)
    text, entities, done = "", [], 0
    for slot in _SLOT.finditer(template):
        text += template[done : slot.start()]
        done = slot.end()
        choices, label = SLOTS[slot.group(1)]
        value = rng.choice(choices)
        if value[0] in "aeiou" and re.search(r"\b[Aa] $", text):
            text = text[:-1] + "n "
        if label:
            entities.append((len(text), len(text) + len(value), label))
        text += value
    text += template[done:]
    return Sentence(text[0].upper() + text[1:], entities)


def word_salad(rng: Random) -> Sentence:
    """Two to eleven words in random order: who learns from these has to listen, not to guess."""
    count = rng.randint(2, 11)
    words = [rng.choice(vocabulary()) for _ in range(count)]
    commas = ["," if place < count - 1 and rng.random() < 0.08 else "" for place in range(count)]
    text = " ".join(word + comma for word, comma in zip(words, commas, strict=True)) + "."
    return Sentence(text[0].upper() + text[1:], [])


def training_sentence(rng: Random, salad_share: float = 0.25) -> Sentence:
    """A sentence that is not held out; ``salad_share`` of them are word salad."""
    while True:
        drawn = word_salad(rng) if rng.random() < salad_share else sentence(rng)
        if not is_held_out(drawn.text):
            return drawn


def held_out_sentence(rng: Random) -> Sentence:
    """A sensible sentence that no model has seen in training."""
    while True:
        drawn = sentence(rng)
        if is_held_out(drawn.text):
            return drawn


def is_held_out(text: str) -> bool:
    """Whether a sentence is kept from training: a property of its text alone, the same on every machine."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") % _HELD_OUT_SHARE == 0


@cache
def vocabulary() -> list[str]:
    """Every word that a template can produce, sorted; capitalized only if it always is."""
    words: set[str] = {"an"}
    for template in TEMPLATES:
        # The first word is a capital only for its place; slots bring their own words.
        words.update(_bare_words(template[0].lower() + template[1:]))
    for choices, _ in SLOTS.values():
        for choice in choices:
            words.update(_bare_words(choice))
    return sorted(words - {"i"} | {"I"})


def _bare_words(text: str) -> list[str]:
    return [word.strip(".,?") for word in _SLOT.sub(" ", text).split() if word.strip(".,?")]
