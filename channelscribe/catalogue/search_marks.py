"""Marks what was looked for in the texts of hits.

PostgreSQL's own `ts_headline` takes marks beyond ASCII for letters, as its parser does, and knows nothing of our pairs
of letters. So the words of the texts are stemmed in the database, all at once, and compared here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from sqlmodel import Session

from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.search_query import Term
from channelscribe.catalogue.search_words import WORD, configuration

__all__ = ["HIGHLIGHT", "highlighted"]

HIGHLIGHT = "**"
ALIKE = """
WITH wanted AS MATERIALIZED (
    SELECT configuration, tsvector_to_array(to_tsvector(CAST(configuration AS regconfig), :wanted)) AS stems
    FROM unnest(CAST(:of AS text[])) AS configuration)
SELECT configuration, word
FROM unnest(CAST(:words AS text[]), CAST(:configurations AS text[])) AS spoken (word, configuration)
JOIN wanted USING (configuration)
WHERE tsvector_to_array(to_tsvector(CAST(configuration AS regconfig), word)) && stems
"""


def highlighted(session: Session, terms: Sequence[Term], texts: Sequence[tuple[str, str]]) -> list[str]:
    """Texts, each given as (language, text), with **matched** words marked."""
    positive = [term for term in terms if not term.negated]
    wanted = " ".join(term.words for term in positive)
    beginnings = tuple(term.beginning for term in positive if term.beginning and not term.runs)
    runs = sorted({run for term in positive for run in term.runs}, key=len, reverse=True)
    spoken = {(_plain(word), configuration(language)) for language, text in texts for word in _words(text)}
    words, configurations = [word for word, _ in spoken], [name for _, name in spoken]
    given = {"words": words, "configurations": configurations, "of": sorted(set(configurations)), "wanted": wanted}
    found = {(row.word, row.configuration) for row in execute(session, ALIKE, **given)}
    found |= {each for each in spoken if beginnings and each[0].startswith(beginnings)}
    return [_marked(text, configuration(language), found, runs) for language, text in texts]


def _words(text: str) -> Iterable[str]:
    return (match[0] for match in WORD.finditer(text))


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKC", word).lower()


def _marked(text: str, name: str, found: set[tuple[str, str]], runs: Sequence[str]) -> str:
    spans = [match.span() for match in WORD.finditer(text) if (_plain(match[0]), name) in found]
    if runs:
        spans += [match.span() for match in re.finditer("|".join(map(re.escape, runs)), text)]
    made, end = [], 0
    for first, last in sorted(spans):
        if first >= end:
            made += [text[end:first], HIGHLIGHT, text[first:last], HIGHLIGHT]
            end = last
    return "".join([*made, text[end:]])
