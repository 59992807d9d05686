"""When two mentions are of one name: keys, and spellings that recognizers confuse. Pure functions.

A key is the name in small letters, without possessive, leading "the", hyphens and outer punctuation. Recognizers
misspell too, so within one channel a spelling is taken for another one where all of this holds: both have the same
label and at least six letters; one letter is added, missing or different (Levenshtein distance 1), and that neither at
the beginning nor at the end of a word, since Norton is not Morton, Julia not Julian, Austria not Austrian; no digit
is involved; and the other spelling is at least ten times as frequent. So it needs counts, which are known where a
channel is queried, and nothing that is stored depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = ["FAR_MORE", "LETTERS", "Name", "entity_key", "is_variant", "variants"]

LETTERS = 6
FAR_MORE = 10

_POSSESSIVE = re.compile(r"['’](s)?$", re.IGNORECASE)
_HYPHENS = re.compile(r"[-‐‑–]")
_OUTER = ' .,;:!?…"“”„«»()[]。，！？؟،'

Name = tuple[str, str]
"""(key, label)"""


def entity_key(text: str) -> str:
    """What mentions of one name share; never empty where `text` is not."""
    key = " ".join(_HYPHENS.sub(" ", text.casefold()).split()).strip(_OUTER)
    key = _POSSESSIVE.sub("", key).removeprefix("the ")
    return key or " ".join(text.casefold().split())


def variants(counts: Mapping[Name, int]) -> dict[Name, Name]:
    """Spellings to be counted as another one: {(key, label): (its frequent spelling's key, label)}.

    `counts` holds the mentions of each name of one channel. A spelling that is frequent enough for others never is a
    variant itself, so no chains come about; of two that fit, the more frequent one is taken, then the first by key.
    """
    rarest = min(counts.values(), default=0)
    frequent = {name: count for name, count in counts.items() if count >= FAR_MORE * rarest and len(name[0]) >= LETTERS}
    by_sketch: dict[tuple[str, str], list[Name]] = {}
    for name in frequent:
        for sketch in _sketches(name[0]):
            by_sketch.setdefault((sketch, name[1]), []).append(name)
    found: dict[Name, Name] = {}
    for name, count in counts.items():
        near = {other for sketch in _sketches(name[0]) for other in by_sketch.get((sketch, name[1]), ())}
        fit = [other for other in near if counts[other] >= FAR_MORE * count and is_variant(name[0], other[0])]
        if fit:
            found[name] = min(fit, key=lambda other: (-counts[other], other))
    return {name: other for name, other in found.items() if other not in found}


def is_variant(one: str, other: str) -> bool:
    """Whether two keys may be spellings of one name, by their letters alone."""
    if min(_letters(one), _letters(other)) < LETTERS or one == other or abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    place = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    rest = place + 1 if len(short) == len(long) else place
    if short[rest:] != long[place + 1 :]:
        return False
    differing = short[place:rest] + long[place]
    return differing.isalpha() and _inside_a_word(long, place)


def _inside_a_word(key: str, place: int) -> bool:
    return 0 < place < len(key) - 1 and key[place - 1].isalpha() and key[place + 1].isalpha()


def _letters(key: str) -> int:
    return sum(map(str.isalpha, key))


def _sketches(key: str) -> Iterator[str]:
    """The key and the key without each one of its letters: keys at distance 1 share one of them (Garbe's SymSpell)."""
    if len(key) >= LETTERS:
        yield key
        for place in range(1, len(key) - 1):
            yield key[:place] + key[place + 1 :]
