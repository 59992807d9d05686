"""Words that a recognizer could not know: told to it before it hears, and mended after.

Needs nothing. `speech.hotwords`, `speech.vocabulary` and `speech.initial_prompt` go before what is decoded, as text
that was said earlier (Radford et al., 2022, section 2.3): of 448 tokens a half, as faster-whisper and whisperX have
it. `speech.rewrite` says how what was heard is to be written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from channelscribe.languages import is_without_spaces
from channelscribe.settings.options import SpeechOptions

__all__ = ["prompt", "rewritten", "suppressed"]

_MOST_TOKENS = 223  # half of what the decoder takes, less the mark that begins it
_NUMERAL = re.compile(r"[0-9%$£]")
_EDGE = re.compile(r"^([^\w]*)(.*?)([^\w]*)$", re.DOTALL)


def prompt(options: SpeechOptions, encode: Callable[[str], Sequence[int]]) -> list[int]:
    """The tokens that stand for what was said before, at most 223; none where nothing is to be told.

    Of words the first are kept, of a prompt the last, as its end is what is nearest.
    """
    words = ", ".join(dict.fromkeys(word for word in (options.hotwords, *options.vocabulary) if word))
    told = list(encode(" " + words.strip()))[:_MOST_TOKENS] if words else []
    before = list(encode(" " + options.initial_prompt.strip())) if options.initial_prompt else []
    room = _MOST_TOKENS - len(told)
    return told + (before[-room:] if room else [])


def suppressed(options: SpeechOptions, decode: Callable[[list[int]], str], end_of_text: int) -> list[int]:
    """Tokens that are never said: Whisper's own choice, and those with digits and signs of money where it is wanted."""
    return [-1, *_numerals(decode, end_of_text)] if options.suppress_numerals else [-1]


@cache
def _numerals(decode: Callable[[list[int]], str], end_of_text: int) -> tuple[int, ...]:
    return tuple(token for token in range(end_of_text) if _NUMERAL.search(decode([token])))


def rewritten(
    text: str, words: Sequence[dict[str, Any]] | None, pairs: Mapping[str, str], language: str | None
) -> tuple[str, list[dict[str, Any]] | None]:
    """Text and words with what was heard (a key of `pairs`, case and marks at its ends ignored) as it is to be written.

    Words that become others share their time by length. Where a language has no spaces only the text is told.
    """
    if not pairs:
        return text, list(words) if words is not None else None
    if is_without_spaces(language):
        changed = re.sub("|".join(map(re.escape, _longest_first(pairs))), lambda found: pairs[found[0]], text)
        return changed, list(words) if words is not None and changed == text else None
    wanted = {tuple(_plain(word) for word in heard.split()): written for heard, written in pairs.items()}
    given = text.split()
    spans = list(words) if words is not None and len(words) == len(given) else None
    longest = max(map(len, wanted))
    out: list[str] = []
    timed: list[dict[str, Any]] = []
    place = 0
    while place < len(given):
        for length in range(min(longest, len(given) - place), 0, -1):
            written = wanted.get(tuple(_plain(word) for word in given[place : place + length]))
            if written is not None:
                new = _with_edges(written, given[place], given[place + length - 1])
                out += new
                timed += _shared(new, spans[place : place + length]) if spans else []
                place += length
                break
        else:
            out.append(given[place])
            timed += spans[place : place + 1] if spans else []
            place += 1
    return " ".join(out), timed if spans is not None else None


def _longest_first(pairs: Mapping[str, str]) -> list[str]:
    return sorted(pairs, key=len, reverse=True)


def _plain(word: str) -> str:
    found = _EDGE.match(word)
    return (found[2] if found and found[2] else word).casefold()


def _with_edges(written: str, first: str, last: str) -> list[str]:
    """What is to be written, with the marks before the first word and after the last that were heard."""
    before, after = _EDGE.match(first), _EDGE.match(last)
    words = f"{before[1] if before else ''}{written}{after[3] if after else ''}".split()
    return words or [written]


def _shared(texts: Sequence[str], words: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(texts) == len(words):
        return [word | {"text": text} for text, word in zip(texts, words, strict=True)]
    start, end = words[0]["start"], words[-1]["end"]
    total, done, shared = sum(map(len, texts)), 0, []
    for text in texts:
        first = start + (end - start) * done / total
        done += len(text)
        last = start + (end - start) * done / total
        shared.append(words[0] | {"text": text, "start": round(first, 3), "end": round(last, 3)})
    return shared
