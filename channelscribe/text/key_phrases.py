"""What a text is about, in its own words: RAKE.

Source: Rose, Engel, Cramer and Cowley, "Automatic Keyword Extraction from Individual Documents" (in: Text Mining,
Wiley 2010): candidates are the words between stop words and punctuation; a word scores its degree (the words of all
candidates that it is in) over its frequency, a candidate the sum over its words. What differs, because speech is
loosely punctuated and recognizers make one-off errors: no candidate has more than four words, and where a text has
500 words or more a candidate counts only if it is said twice. Languages without spaces between words have none.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from channelscribe.text.content_words import WITHOUT_SPACES

__all__ = ["Candidate", "key_phrases"]

LONGEST = 4
LONG_TEXT = 500
"""Words."""

_PIECE = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")  # a word, or the mark that parts two candidates


@dataclass(frozen=True, slots=True)
class Candidate:
    """A phrase in small letters, how often it is said, and the characters [start, end) of its first mention."""

    key: str
    score: float
    mentions: int
    start_char: int
    end_char: int


def key_phrases(text: str, stop_words: Collection[str], most: int) -> list[Candidate]:
    """The best phrases, by score, then by mentions, then as they come; none without stop words to part them."""
    if not stop_words:
        return []
    mentions: Counter[str] = Counter()
    first: dict[str, tuple[int, int]] = {}
    frequency: Counter[str] = Counter()
    degree: dict[str, int] = defaultdict(int)
    for words, start, end in _candidates(text, stop_words):
        key = " ".join(words)
        mentions[key] += 1
        first.setdefault(key, (start, end))
        for word in words:
            frequency[word] += 1
            degree[word] += len(words)
    least = 2 if frequency.total() and text.count(" ") >= LONG_TEXT else 1
    scores = {
        key: sum(degree[word] / frequency[word] for word in key.split(" "))
        for key, number in mentions.items()
        if number >= least
    }
    best = sorted(scores, key=lambda key: (-scores[key], -mentions[key], first[key]))[:most]
    return [Candidate(key, round(scores[key], 3), mentions[key], *first[key]) for key in best]


def _candidates(text: str, stop_words: Collection[str]) -> Iterator[tuple[list[str], int, int]]:
    """(words, first character, character after the last) of each run of at most LONGEST content words."""
    words: list[str] = []
    start = end = 0
    for piece in _PIECE.finditer(text):
        word = piece[0].casefold()
        if word not in stop_words and _counts(word):
            if not words:
                start = piece.start()
            end = piece.end()
            words.append(word)
        elif words:
            if _is_phrase(words):
                yield words, start, end
            words = []
    if _is_phrase(words):
        yield words, start, end


def _counts(word: str) -> bool:
    # Punctuation and numbers part candidates as stop words do.
    return word[0].isalpha() if word.isascii() else word[0].isalnum() and not WITHOUT_SPACES.match(word)


def _is_phrase(words: list[str]) -> bool:
    return len(words) <= LONGEST and any(len(word) > 2 for word in words)
