"""Sentence segmentation with NLTK Punkt, from parameters that are on this machine; nothing is downloaded.

Needs nltk (the extras `text` and `speech` both bring it). English comes from the bundled parameters, other
languages from installed NLTK data, and where there are none Punkt runs untrained (it knows no abbreviations).
Source: Kiss and Strunk, "Unsupervised Multilingual Sentence Boundary Detection" (2006).
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from channelscribe.errors import TextModelUnavailable
from channelscribe.sample import world

if TYPE_CHECKING:
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

__all__ = ["is_trained", "punkt_language", "sentence_spans", "sentence_tokenizer"]

# The languages of NLTK's punkt_tab, by ISO 639-1 code.
_LANGUAGES = {
    "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "fi": "finnish", "fr": "french", "it": "italian", "ml": "malayalam", "nl": "dutch",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ru": "russian", "sl": "slovene", "sv": "swedish",
    "tr": "turkish",
}  # fmt: skip

_STRETCH = 20_000  # characters
_NEAR = 2_000
_BETWEEN_WORDS = re.compile(r"(?<=\w)\s(?=\w)")
_MARK = re.compile(r"[.?!]")
_PLAIN = re.compile(r"([^\W\d_]{2,})[.?!]\s")

_lock = threading.Lock()
_loaded: dict[str, tuple[PunktSentenceTokenizer, bool]] = {}


def punkt_language(code: str) -> str:
    """NLTK's name of a language ("en" is "english"); the code itself where NLTK has none."""
    return _LANGUAGES.get(code, code)


def sentence_tokenizer(language: str) -> PunktSentenceTokenizer:
    """Punkt for a language, by ISO code or NLTK name, loaded once per process.

    Raises TextModelUnavailable when nltk is not installed.
    """
    return _load(language)[0]


def is_trained(language: str) -> bool:
    """Whether there are Punkt parameters for the language here."""
    return _load(language)[1]


def sentence_spans(text: str, language: str) -> list[tuple[int, int]]:
    """The sentences of `text` as (start, end) character offsets, in order, without the space between them."""
    tokenizer = _quick(sentence_tokenizer(language))
    spans: list[tuple[int, int]] = []
    for start, end, goes_on in _stretches(text):
        found = [(start + a, start + b) for a, b in tokenizer.span_tokenize(text[start:end])]
        if goes_on and spans and found:
            spans[-1] = (spans[-1][0], found.pop(0)[1])
        spans += found
    return spans


def _quick(tokenizer: PunktSentenceTokenizer) -> PunktSentenceTokenizer:
    """The same tokenizer, which answers at once where Punkt has only one answer: after a word of letters that it does
    not know as an abbreviation. That is nine marks of ten, and Punkt's own way takes ten times as long.
    """
    parameters = tokenizer._params
    if parameters.collocations:
        return tokenizer
    quick = copy(tokenizer)
    abbreviations, whole_way = parameters.abbrev_types, tokenizer.text_contains_sentbreak

    def text_contains_sentbreak(context: str) -> bool:
        plain = _PLAIN.match(context)
        if plain and plain[1].lower() not in abbreviations:
            return True
        return bool(whole_way(context))

    quick.text_contains_sentbreak = text_contains_sentbreak
    return quick


def _stretches(text: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether the sentence before goes on) of stretches that are segmented alone.

    NLTK gives a whole text five seconds of wall time, which a long one on a busy machine may exceed. Punkt looks at no
    more than the words around a mark, so nothing is lost by a cut between two words without one.
    """
    start, goes_on = 0, False
    while len(text) - start > _STRETCH:
        between = [place.start() for place in _BETWEEN_WORDS.finditer(text, start + _STRETCH - _NEAR, start + _STRETCH)]
        end = between[-1] if between else start + _STRETCH
        yield start, end, goes_on
        start, goes_on = end, bool(between) or not _MARK.search(text, end - _NEAR // 10, end + 1)
    yield start, len(text), goes_on


def _load(language: str) -> tuple[PunktSentenceTokenizer, bool]:
    name = punkt_language(language)
    with _lock:
        if name not in _loaded:
            _loaded[name] = _find(name)
        return _loaded[name]


def _find(name: str) -> tuple[PunktSentenceTokenizer, bool]:
    try:
        from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTokenizer
    except ImportError as error:
        raise TextModelUnavailable("NLTK is not installed.", remedy="pip install 'channelscribe[text]'") from error
    bundled = world.models_dir() / "nltk_data" / "tokenizers" / "punkt_tab" / name
    if bundled.is_dir():  # first: the same sentences on every machine
        tokenizer = PunktSentenceTokenizer()
        tokenizer._params = _read_parameters(bundled)
        return tokenizer, True
    try:
        return PunktTokenizer(name), True
    except (LookupError, ValueError):
        return PunktSentenceTokenizer(), False


def _read_parameters(folder: Path) -> PunktParameters:
    """Parameters as `nltk.tokenize.punkt.save_punkt_params` wrote them.

    NLTK's own reader refuses files with more than one hard link, and that is how uv installs a package.
    """
    from nltk.tabdata import PunktDecoder
    from nltk.tokenize.punkt import PunktParameters

    def lines(name: str) -> io.StringIO:
        return io.StringIO((folder / name).read_text(encoding="utf-8"))

    decoder, parameters = PunktDecoder(), PunktParameters()
    parameters.collocations = set(decoder.tab2tups(lines("collocations.tab")))
    parameters.sent_starters = decoder.txt2set(lines("sent_starters.txt"))
    parameters.abbrev_types = decoder.txt2set(lines("abbrev_types.txt"))
    parameters.ortho_context = decoder.tab2intdict(lines("ortho_context.tab"))
    return parameters
