"""The language of queries: words, "a phrase", a beginning*, -without, OR between alternatives.

Words side by side must all be in a segment; OR parts alternatives and binds less. Parentheses and other marks mean
nothing. Nothing that a person can type raises: what makes no sense is left out, and what is too long is cut.
Needs nothing; the conditions made here hold their values as parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from channelscribe.catalogue.cleaning import clean_text
from channelscribe.catalogue.search_words import WORD, searched_words, unspaced_runs, without_open_end

__all__ = ["LONGEST_QUERY", "Term", "parse", "tsquery"]

LONGEST_QUERY = 1000
MOST_TERMS = 64
LONGEST_TERM = 400  # characters; PostgreSQL refuses words over 2046 bytes
_QUOTES = str.maketrans(dict.fromkeys("“”„«»〝〞＂", '"') | {"\u3000": " "})
_PART = re.compile(r'(?P<minus>-?)"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+)')
_OR = {"or", "|", "||"}


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to be found, or not. `beginning` is of a word that may go on; `words` come before it, in order."""

    words: str
    beginning: str | None = None
    negated: bool = False
    runs: tuple[str, ...] = ()
    """Its parts in scripts without spaces."""


def parse(query: str) -> list[list[Term]]:
    """Alternatives, each a list of terms that must all hold; empty where nothing is left to look for."""
    alternatives: list[list[Term]] = [[]]
    for found in list(_PART.finditer(clean_text(query)[:LONGEST_QUERY].translate(_QUOTES)))[:MOST_TERMS]:
        if (found["word"] or "").lower() in _OR:
            alternatives.append([])
        elif found["word"] is None:
            alternatives[-1] += _phrase(found["phrase"], bool(found["minus"]))
        else:
            alternatives[-1] += _word(found["word"])
    return [terms for terms in alternatives if terms]


def _phrase(text: str, negated: bool) -> list[Term]:
    words, beginning = without_open_end(searched_words(text[:LONGEST_TERM]))
    return [Term(words, beginning, negated, tuple(unspaced_runs(text)))] if WORD.search(text) else []


def _word(text: str) -> list[Term]:
    negated, word = text.startswith("-"), text.lstrip("-").rstrip("*")
    pieces = WORD.findall(searched_words(word[:LONGEST_TERM]))
    if not text.endswith("*") or not pieces or unspaced_runs(word):
        return _phrase(word, negated)
    # Beginnings are looked up among words as they are, whose places are not in the index: no phrase.
    return [*(Term(piece, None, negated) for piece in pieces[:-1]), Term("", pieces[-1].lower(), negated)]


def tsquery(alternatives: list[list[Term]]) -> tuple[str, dict[str, Any]]:
    """SQL for the query in the text search configuration :configuration, and its parameters."""
    values: dict[str, Any] = {}
    parts = []
    for terms in alternatives:
        parts.append(" && ".join(_term(term, values) for term in terms))
    return " || ".join(f"({part})" for part in parts), values


def _term(term: Term, values: dict[str, Any]) -> str:
    name = f"term_{len(values)}"
    values[name] = term.words
    made = f"phraseto_tsquery(CAST(configuration AS regconfig), :{name})"
    if term.beginning is not None:
        values[f"{name}_begins"] = f"'{term.beginning}':*"
        made += f" <-> to_tsquery('simple', :{name}_begins)"
    return f"!!({made})" if term.negated else f"({made})"
