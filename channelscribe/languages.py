"""Languages by their ISO 639 codes, and what a word is in them. Needs nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

__all__ = ["CODES", "WITHOUT_SPACES", "cut_text", "is_without_spaces", "words_of"]

_TWO_LETTERS = (
    "aa ab af ak am ar as ay az ba be bg bi bn bo br bs ca co cs cy da de dz el en eo es et eu fa fi fj fo fr fy "
    "ga gd gl gn gu ha he hi hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb ln lo lt lv mg mi mk ml mn "
    "mr ms mt my nb ne nl nn no ny or pa pl ps pt ro ru rw sa sd si sk sl sm sn so sq sr st su sv sw ta te tg th "
    "ti tk tl tr tt uk ur uz vi wo xh yi yo zh zu"
)
CODES = frozenset(_TWO_LETTERS.split())

WITHOUT_SPACES = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages that Whisper knows and that are written without spaces between words; there a word is a character."""

_VOWELS_BEFORE = "เแโใไເແໂໃໄ"  # Thai and Lao: written before the consonant that they are spoken after
_VOWELS_AFTER = "ะาำๅๆະາຳຽໆ"  # letters to Unicode, but nobody begins a line with one
_STACKING = "\u1039\u17d2"  # Burmese and Khmer: the next consonant stands below
_SCRIPTS = (
    ("\u0e00", "\u109f"), ("\u1780", "\u17ff"), ("\u3005", "\u3007"), ("\u3040", "\u312f"), ("\u31f0", "\u31ff"),
    ("\u3400", "\u4dbf"), ("\u4e00", "\u9fff"), ("\uaa60", "\uaa7f"), ("\uf900", "\ufaff"),
    ("\U00020000", "\U0003ffff"),
)  # fmt: skip


def is_without_spaces(language: str | None) -> bool:
    return language in WITHOUT_SPACES


def words_of(text: str, language: str | None) -> list[str]:
    """The words of a text: what stands between spaces; in a language without them each character.

    A character here is what a reader sees as one, marks included. Letters and digits of other scripts stay together,
    and a mark stays with the word before it, as WhisperX has it nowhere: "ComfyUI" in Japanese is one word.
    """
    if not is_without_spaces(language):
        return text.split()
    return [word for part in text.split() for word in _characters(part)]


def cut_text(text: str, counts: Iterable[int], language: str | None) -> list[str]:
    """The text in parts of so many words each, with the spaces that it has between them."""
    words, parts, place = iter(words_of(text, language)), [], 0
    for count in counts:
        start = place
        for word in islice(words, count):
            place = text.index(word, place) + len(word)
        parts.append(text[start:place].strip())
    return parts


def _characters(text: str) -> Iterator[str]:
    word, is_open = "", False
    for character in text:
        if word and (is_open or _goes_on(word[-1], character)):
            word += character
        else:
            if word:
                yield word
            word, is_open = character, True
        is_open = is_open and (unicodedata.category(character) in ("Ps", "Pi") or character in _VOWELS_BEFORE)
    if word:
        yield word


def _goes_on(before: str, character: str) -> bool:
    kind = unicodedata.category(character)
    if kind[0] == "M" or character in _VOWELS_AFTER or before in _STACKING or kind == "Cf":
        return True
    if kind[0] == "P" and kind not in ("Ps", "Pi"):
        return True
    return _is_spaced(before) and _is_spaced(character)


def _is_spaced(character: str) -> bool:
    """Whether it is a letter or digit of a script that is written with spaces, or a mark within such a word."""
    return character in "'’-.%" or (character.isalnum() and not any(a <= character <= b for a, b in _SCRIPTS))
