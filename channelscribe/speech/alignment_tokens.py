"""A segment's text as the aligner reads it: characters it knows, wildcards for the others, words and sentences.

Needs NLTK's Punkt through `channelscribe.text.punkt`. Leaves nothing behind. The rules are WhisperX's
(`whisperx.alignment.align`), so words and sentences come out the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from channelscribe.languages import is_without_spaces
from channelscribe.speech.forced_alignment import WILDCARD, Spans
from channelscribe.speech.word_times import words_of

__all__ = ["Spelling", "sentences", "spell", "timed_words"]


@dataclass(frozen=True)
class Spelling:
    """`tokens` (n,): columns of the emission, or WILDCARD. `words[i]`: a word and the slice of its tokens."""

    tokens: NDArray[np.intp]
    words: list[tuple[str, slice]]


def spell(text: str, dictionary: Mapping[str, int], language: str) -> Spelling:
    """A text with single spaces, lower-cased, character by character; between words "|" where the aligner has it."""
    tokens: list[int] = []
    words: list[tuple[str, slice]] = []
    separator = None if is_without_spaces(language) else dictionary.get("|")
    for word in words_of(text, language):
        if words and separator is not None:
            tokens.append(separator)
        first = len(tokens)
        tokens += [dictionary.get(character.lower(), WILDCARD) for character in word]
        words.append((word, slice(first, len(tokens))))
    return Spelling(np.array(tokens, np.intp), words)


def timed_words(spelling: Spelling, spans: Spans, start: float, seconds_per_frame: float) -> list[dict[str, object]]:
    """{"word", "start", "end", "score"} of every word of which a character is known; the others only {"word"}.

    Times in seconds, `start` being the segment's. WhisperX times wildcards too; a number's digits stand for a
    word that is longer than they are, so its own frames say little and it is left to be interpolated.
    """
    found: list[dict[str, object]] = []
    for word, mine in spelling.words:
        if (spelling.tokens[mine] == WILDCARD).all():
            found.append({"word": word})
            continue
        found.append(
            {
                "word": word,
                "start": round(float(spans.starts[mine][0]) * seconds_per_frame + start, 3),
                "end": round(float(spans.ends[mine][-1]) * seconds_per_frame + start, 3),
                "score": round(float(np.mean([round(float(score), 3) for score in spans.scores[mine]])), 3),
            }
        )
    return found


def sentences(text: str, language: str) -> list[tuple[str, int]]:
    """The sentences of a text with single spaces, each with its number of words."""
    from whisperx.utils import PUNKT_LANGUAGES

    from channelscribe.text.punkt import sentence_tokenizer

    found = [text[a:b] for a, b in sentence_tokenizer(PUNKT_LANGUAGES.get(language, "english")).span_tokenize(text)]
    return [(sentence, len(words_of(sentence, language))) for sentence in found]
