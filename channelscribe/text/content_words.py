"""The words of a text that carry its subject: no stop words, no numbers. Needs spaCy's lists of stop words.

Chinese, Japanese and Thai are written without spaces: there each pair of neighbouring characters counts as a word,
which is enough to compare passages (not to show them).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

__all__ = ["WITHOUT_SPACES", "content_words"]

WITHOUT_SPACES = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SHORTEST = 3  # letters, where words have letters


def content_words(text: str, stop_words: Collection[str]) -> Iterator[tuple[int, str]]:
    """(first character, word in small letters) of each one, in order."""
    for found in _WORD.finditer(text):
        word, start = found[0].casefold(), found.start()
        if not word.isascii() and WITHOUT_SPACES.match(word):
            yield from ((start + place, word[place : place + 2]) for place in range(len(word) - 1))
        elif len(word) >= _SHORTEST and word not in stop_words:
            yield start, word
