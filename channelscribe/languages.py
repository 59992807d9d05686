"""Languages by their ISO 639-1 codes. Needs nothing."""

from __future__ import annotations

__all__ = ["CODES", "WITHOUT_SPACES", "is_without_spaces"]

_TWO_LETTERS = (
    "aa ab af ak am ar as ay az ba be bg bi bn bo br bs ca co cs cy da de dz el en eo es et eu fa fi fj fo fr fy "
    "ga gd gl gn gu ha he hi hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb ln lo lt lv mg mi mk ml mn "
    "mr ms mt my nb ne nl nn no ny or pa pl ps pt ro ru rw sa sd si sk sl sm sn so sq sr st su sv sw ta te tg th "
    "ti tk tl tr tt uk ur uz vi wo xh yi yo zh zu"
)
CODES = frozenset(_TWO_LETTERS.split())

WITHOUT_SPACES = frozenset({"ja", "zh"})
"""Written without spaces between words, as far as WhisperX knows: there a word is a character."""


def is_without_spaces(language: str | None) -> bool:
    return language in WITHOUT_SPACES
