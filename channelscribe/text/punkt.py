"""Sentence segmentation with NLTK Punkt, from parameters that are on this machine; nothing is downloaded.

Needs nltk (the extras `text` and `speech` both bring it). English comes from the bundled parameters, other
languages from installed NLTK data, and where there are none Punkt runs untrained (it knows no abbreviations).
Source: Kiss and Strunk, "Unsupervised Multilingual Sentence Boundary Detection" (2006).
"""

from __future__ import annotations

import io
import threading
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
    return list(sentence_tokenizer(language).span_tokenize(text))


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
