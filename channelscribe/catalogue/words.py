"""The words of all transcripts: other spellings of what is searched for, and the word that was perhaps meant.

A word is known as PostgreSQL's `simple` configuration has it, and *plain*, without accents (`channelscribe_plain` of
the migration r0008). Words that no transcript has any more are left until a takedown or a deleted version takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING

from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.search_query import WORD, Term, parse

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Transaction

__all__ = [
    "did_you_mean",
    "drop_words",
    "note_words",
    "note_words_of",
    "other_spellings",
    "words_of",
    "words_of_segments",
]

LONGEST_WORD = 60
MOST_SPELLINGS = 16

SAID = f"""
SELECT DISTINCT spoken FROM segment
CROSS JOIN LATERAL unnest(tsvector_to_array(to_tsvector('simple', channelscribe_words(text)))) AS spoken
WHERE {{where}} AND length(spoken) <= {LONGEST_WORD}
"""  # noqa: S608 - a number of ours
SPOKEN = SAID.format(where="transcript_pk = ANY(:transcripts)")
SPOKEN_AT = SAID.format(
    where="(transcript_pk, index) IN (SELECT * FROM unnest(CAST(:pks AS bigint[]), CAST(:indexes AS integer[])))"
)
# In one order, so that two transactions that publish do not wait for each other in a circle.
NOTE = f"INSERT INTO word (word) {SPOKEN} ORDER BY spoken ON CONFLICT DO NOTHING"
NOTE_AT = f"INSERT INTO word (word) {SPOKEN_AT} ORDER BY spoken ON CONFLICT DO NOTHING"
DROP = """
DELETE FROM word WHERE word = ANY(:words) AND NOT EXISTS (
    SELECT FROM segment WHERE search @@ CAST(quote_literal(word) AS tsquery))
"""
SPELLINGS = """
SELECT asked, array_agg(word ORDER BY word) AS spellings
FROM unnest(CAST(:words AS text[])) AS asked JOIN word ON plain = asked AND word <> asked
WHERE channelscribe_plain(asked) = asked GROUP BY asked
"""
UNKNOWN = """
SELECT asked FROM unnest(CAST(:words AS text[])) AS asked
WHERE NOT EXISTS (SELECT FROM word WHERE plain = channelscribe_plain(asked) OR word = asked)
"""
NEAREST = """
SELECT word FROM word WHERE plain % channelscribe_plain(:asked)
ORDER BY similarity(plain, channelscribe_plain(:asked)) DESC, word LIMIT 1
"""
HAS_WORDS = "SELECT to_regclass('word') IS NOT NULL"
"""A database of an older release is read as it is."""
HAS_TRIGRAMS = "SELECT to_regclass('word') IS NOT NULL AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')"


def note_words(session: Transaction, transcript_pk: int) -> None:
    """Keep the words of a transcript that is published."""
    execute(session, NOTE, transcripts=[transcript_pk])


def note_words_of(session: Transaction, segments: Sequence[tuple[int, int]]) -> None:
    """Keep the words of corrected segments, each a transcript's number and a place in it."""
    execute(session, NOTE_AT, pks=[pk for pk, _ in segments], indexes=[index for _, index in segments])


def words_of_segments(session: Transaction, segments: Sequence[tuple[int, int]]) -> list[str]:
    """The words of segments, each a transcript's number and a place in it."""
    given = {"pks": [pk for pk, _ in segments], "indexes": [index for _, index in segments]}
    return list(execute(session, SPOKEN_AT, **given).scalars())


def words_of(session: Transaction, transcript_pks: Sequence[int]) -> list[str]:
    """The words of transcripts that are about to go, for `drop_words` after it."""
    return list(execute(session, SPOKEN, transcripts=list(transcript_pks)).scalars())


def drop_words(session: Transaction, words: Sequence[str]) -> None:
    """Forget those that no transcript has any more."""
    execute(session, DROP, words=list(words))


def other_spellings(session: Transaction, alternatives: list[list[Term]]) -> list[list[Term]]:
    """The query, whose words without accents also find those with them ("munchen" finds "München"). A word that was
    typed with accents is meant so.
    """
    asked = {word.lower() for terms in alternatives for term in terms for word in term.words.split()}
    if not asked or not execute(session, HAS_WORDS).scalar_one():
        return alternatives
    known = {row.asked: row.spellings for row in execute(session, SPELLINGS, words=sorted(asked))}

    def spelled(term: Term) -> Term:
        choices = [[word, *known.get(word.lower(), ())] for word in term.words.split()]
        others = islice((" ".join(each) for each in product(*choices)), 1, MOST_SPELLINGS)
        return replace(term, others=tuple(others))

    return [[spelled(term) for term in terms] for terms in alternatives] if known else alternatives


def did_you_mean(session: Transaction, query: str) -> str | None:
    """The query with each word that is nowhere in the library as the nearest one that is; None where all are known,
    where none is near, and where the server has no `pg_trgm`.
    """
    asked = [word for terms in parse(query) for term in terms if not term.negated for word in term.words.split()]
    if not asked or not execute(session, HAS_TRIGRAMS).scalar_one():
        return None
    unknown = list(execute(session, UNKNOWN, words=[word.lower() for word in asked]).scalars())
    nearest = {word: execute(session, NEAREST, asked=word).scalar_one_or_none() for word in unknown}
    meant = WORD.sub(lambda found: nearest.get(found[0].lower()) or found[0], query)
    return meant if meant != query else None
