"""What a question asks of segments and of videos, as SQL with its parameters; none of its values is pasted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from channelscribe.catalogue.channels import IN_CHANNEL
from channelscribe.catalogue.cleaning import clean_text
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.entities import spellings
from channelscribe.catalogue.search_pages import fingerprint
from channelscribe.catalogue.search_query import Term, tsquery
from channelscribe.catalogue.search_words import LANGUAGES, SIMPLE

__all__ = ["Conditions", "Question", "conditions"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for. `channel`: title, id or URL of a source; `since` and `until`: days of publication."""

    query: str
    channel: str | None = None
    speaker: str | None = None
    entity: str | None = None
    since: date | None = None
    until: date | None = None
    language: str | None = None

    @property
    def fingerprint(self) -> str:
        asked = (self.query, self.channel, self.speaker, self.entity, self.since, self.until, self.language)
        return fingerprint(*map(clean_text, map(str, asked)))


@dataclass(slots=True)
class Conditions:
    """SQL of a question, with its parameters."""

    segments: str
    videos: str
    rank: str
    values: dict[str, Any]


# The query by the rules of each language that the library has; those with the same rules together, since each of them
# is a condition of its own. DISTINCT would read every row of the index, the recursion reads one of each language. The
# setting is for the statements after it in this transaction: psycopg prepares what comes often, and a plan that is made
# without the words knows nothing of how common they are.
QUERIES = """
WITH RECURSIVE known AS (SELECT min(language) AS language FROM transcript UNION ALL
    SELECT (SELECT min(language) FROM transcript WHERE language > known.language)
    FROM known WHERE language IS NOT NULL),
alike AS (SELECT coalesce(configuration, :simple) AS configuration, array_agg(language ORDER BY language) AS languages
    FROM known LEFT JOIN unnest(CAST(:languages AS text[]), CAST(:configurations AS text[]))
        AS rules (language, configuration) USING (language)
    WHERE language = coalesce(:language, language) GROUP BY 1)
SELECT languages, CAST(({query}) AS text) AS query, set_config('plan_cache_mode', 'force_custom_plan', true)
FROM alike ORDER BY configuration
"""


def conditions(session: Session, question: Question, alternatives: list[list[Term]]) -> Conditions | None:
    """None where nothing can match, or nothing is asked."""
    videos, segments, values = ["true"], [], dict[str, Any]()
    if question.channel is not None:
        videos.append(IN_CHANNEL)
        values["channel"] = clean_text(question.channel)
    if question.since is not None:
        videos.append("published >= :since")
        values["since"] = question.since
    if question.until is not None:
        videos.append("published <= :until")
        values["until"] = question.until
    if question.speaker is not None:
        segments.append("speaker = :speaker")
        values["speaker"] = clean_text(question.speaker)
    if question.language is not None:
        segments.append("language = :language")
        values["language"] = clean_text(question.language).lower()
    if question.entity is not None:
        segments.append("(transcript_pk, index) IN (SELECT transcript_pk, segment FROM entity WHERE key = ANY(:names))")
        values["names"] = spellings(session, question.entity)
    rank = "CAST(0 AS real)"
    if question.query.strip():
        found = _matching(session, alternatives, values.get("language"))
        if found is None:
            return None
        matches, rank, queries = found
        segments.append(matches)
        values |= queries
    if not segments and len(videos) == 1:
        return None
    return Conditions(" AND ".join(segments or ["true"]), " AND ".join(videos), rank, values)


def _matching(
    session: Session, alternatives: list[list[Term]], language: str | None
) -> tuple[str, str, dict[str, Any]] | None:
    """SQL that says whether a segment matches by its language's rules, and how well; None where nothing can."""
    if not alternatives:
        return None
    query, terms = tsquery(alternatives)
    rules = {"languages": list(LANGUAGES), "configurations": list(LANGUAGES.values()), "simple": SIMPLE}
    made = execute(session, QUERIES.format(query=query), language=language, **rules, **terms).all()
    queries = [(row.languages, row.query) for row in made if row.query]
    if not queries:
        return None
    values: dict[str, Any] = {}
    matches, ranks = [], []
    for number, (languages, text) in enumerate(queries):
        values |= {f"query_{number}": text, f"languages_{number}": languages}
        tested = f"CAST(:query_{number} AS tsquery)"
        spoken = f"language = ANY(:languages_{number})"
        matches.append(f"{spoken} AND search @@ {tested}")
        ranks.append(f"WHEN {spoken} THEN ts_rank_cd(search, {tested})")
    return f"({' OR '.join(matches)})", f"CASE {' '.join(ranks)} END", values
