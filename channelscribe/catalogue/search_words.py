"""How texts become what is searched: the same words in a query as in the index.

The index is made in the database, by the functions of the migration r0003; what is here says the same for queries,
and a test compares the two. Needs nothing.

PostgreSQL stems the languages in LANGUAGES; all others are matched word for word. Chinese, Japanese, Thai, Lao, Khmer
and Burmese have no blanks between words, and Korean hangs its particles on them: there each run of letters is indexed
as the overlapping pairs of its letters (`東京都` as `東京 京都 都`), and found as a phrase of them, wherever it stands
in a run. That is what Lucene's CJKAnalyzer does, too; it needs no dictionary and finds every part of a word.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = [
    "LANGUAGES",
    "SIMPLE",
    "WORD",
    "configuration",
    "searched_words",
    "unspaced_runs",
    "without_open_end",
]

SIMPLE = "simple"
LANGUAGES = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""PostgreSQL's text search configuration of each language, ISO 639-1; those that every version since 15 has."""

_UNSPACED = (
    "[\u0e01-\u0e2e\u0e30-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u3005-\u3007"
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]"
)
_MARK = (
    "[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u105e-\u1060"
    "\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u17b4-\u17d3\u3099\u309a]"
)
_BLANK = (
    "[\u0080-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u0387\u055a-\u055f\u0589\u058a\u05be"
    "\u05c0\u05c3\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u0e2f\u0e3f\u0e4f\u0e5a\u0e5b"
    "\u104a-\u104f\u1361-\u1368\u17d4-\u17db\u2000-\u200b\u200e-\u206f\u2190-\u2bff\u2e00-\u2e7f\u3000-\u3004"
    "\u3008-\u3030\u303d\u30a0\u30fb\ufe00-\ufe6f\ufeff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    "\U0001f000-\U0001faff\U000e0000-\U000e0fff]"
)
_RUN = re.compile(f"{_UNSPACED}+")
_LETTER = re.compile(f"{_UNSPACED}{_MARK}*")
_BLANKS = re.compile(f"{_BLANK}+")
WORD = re.compile(rf"[^\s\x00-/:-@\[-`{{-\x7f{_BLANK[1:-1]}]+")
"""What stands between blanks and marks; unlike `\\w+` with the vowel signs of Indian scripts."""


def configuration(language: str) -> str:
    """PostgreSQL's text search configuration of a language."""
    return LANGUAGES.get(language, SIMPLE)


def searched_words(text: str) -> str:
    """What `channelscribe_words` makes of a text, but for the number of blanks."""
    if text.isascii():
        return " ".join(text.split(" "))
    plain = _BLANKS.sub(" ", unicodedata.normalize("NFKC", text).replace("’", "'"))
    return _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", plain)


def without_open_end(words: str) -> tuple[str, str | None]:
    """Searched words of a query for what may go on, as (words, a beginning of the next word or None).

    The last letter of a run stands alone in the index only where the run ends there; a run of one letter is the
    beginning of a pair.
    """
    *before, last = words.split() or [""]
    if not _LETTER.fullmatch(last):
        return words, None
    pair = before[-1] if before else ""
    if pair.endswith(last) and len(_LETTER.findall(pair)) == 2 and _RUN.fullmatch(pair):
        return " ".join(before), None
    return " ".join(before), last


def unspaced_runs(text: str) -> list[str]:
    """The runs of scripts without spaces in a text."""
    return _RUN.findall(unicodedata.normalize("NFKC", text))


def _pairs(run: str) -> list[str]:
    letters = _LETTER.findall(run)
    return [one + other for one, other in zip(letters, [*letters[1:], ""], strict=True)]
