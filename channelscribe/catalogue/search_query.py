"""What is searched for: the language of queries, how words become what is indexed, and the SQL made of both.

A query has words, "a phrase", a beginning*, -without, OR between alternatives, (parentheses). Words side by side must
all be in a segment, as with AND between them; OR parts alternatives and binds less; NOT is `-`. Other marks mean
nothing. What makes no sense is left out, and what is too long is cut. None of a question's values is pasted into SQL.

The index is made in the database, by the functions of the migration r0003; what is here says the same for queries,
and a test compares the two. PostgreSQL stems the languages in LANGUAGES; all others are matched word for word.
Chinese, Japanese, Thai, Lao, Khmer and Burmese have no blanks between words, and Korean hangs its particles on them:
there each run of letters is indexed as the overlapping pairs of its letters (`東京都` as `東京 京都 都`), and found as
a phrase of them, wherever it stands in a run. That is what Lucene's CJKAnalyzer does, too; it needs no dictionary and
finds every part of a word.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue.connection import clean_text, execute
from channelscribe.catalogue.entities import spellings
from channelscribe.catalogue.listings import IN_CHANNEL
from channelscribe.catalogue.voices import has_voices
from channelscribe.files import content_key

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Transaction

__all__ = [
    "LANGUAGES",
    "LONGEST_QUERY",
    "SIMPLE",
    "WORD",
    "Conditions",
    "Question",
    "Term",
    "conditions",
    "configuration",
    "divided",
    "halves",
    "parse",
    "searched_words",
    "tsquery",
    "unspaced_runs",
    "without_open_end",
]

LONGEST_QUERY = 1000
MOST_TERMS = 64
LONGEST_TERM = 400  # characters; PostgreSQL refuses words over 2046 bytes
_QUOTES = str.maketrans(dict.fromkeys("“”„«»〝〞＂", '"') | {"\u3000": " "})
_PART = re.compile(r'(?P<minus>-?)"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+)')
_OR, _AND, _NOT = {"or", "|", "||"}, {"AND", "&", "&&"}, {"NOT"}
_OPENING = re.compile(r"(-?\()+")
DEEPEST = 9  # parentheses within parentheses, one less


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to be found, or not. `beginning` is of a word that may go on; `words` come before it, in order."""

    words: str
    beginning: str | None = None
    negated: bool = False
    runs: tuple[str, ...] = ()
    """Its parts in scripts without spaces."""
    others: tuple[str, ...] = ()
    """Other spellings of its `words`."""


def parse(query: str) -> list[list[Term]]:
    """Alternatives, each a list of terms that must all hold; empty where nothing is left to look for."""
    groups = [_Group()]
    for found in list(_PART.finditer(clean_text(query)[:LONGEST_QUERY].translate(_QUOTES)))[:MOST_TERMS]:
        word = found["word"]
        if word is None:
            groups[-1].add([_phrase(found["phrase"], bool(found["minus"]))])
            continue
        opening = _OPENING.match(word)
        word = word[opening.end() :] if opening else word
        for mark in opening[0].replace("-(", "!") if opening else "":
            if len(groups) < DEEPEST:
                groups.append(_Group(negated=(mark == "!") != groups[-1].takes_not()))
        closing = word.count(")") - word.count("(") if word.endswith(")") else 0
        word = word[: len(word) - min(max(closing, 0), len(word) - len(word.rstrip(")")))]
        if word.lower() in _OR:
            groups[-1].alternative()
        elif word in _NOT:
            groups[-1].inverts = True
        elif word not in _AND and word:
            groups[-1].add([_word(word)])
        for _ in range(closing):
            if len(groups) > 1:
                groups[-2].add(groups.pop().ended())
    while len(groups) > 1:
        groups[-2].add(groups.pop().ended())
    return groups[0].ended()


@dataclass(slots=True)
class _Group:
    """What is between two parentheses: alternatives that are complete, and those that still grow."""

    negated: bool = False
    inverts: bool = False  # a NOT stands before what comes next
    done: list[list[Term]] = field(default_factory=list)
    now: list[list[Term]] = field(default_factory=lambda: [[]])

    def takes_not(self) -> bool:
        inverts, self.inverts = self.inverts, False
        return inverts

    def add(self, part: list[list[Term]]) -> None:
        part = [terms for terms in part if terms]
        if part and self.takes_not():
            part = _inverted(part)
        if part:
            self.now = _both(self.now, part)

    def alternative(self) -> None:
        self.done += [terms for terms in self.now if terms]
        self.now, self.inverts = [[]], False

    def ended(self) -> list[list[Term]]:
        self.alternative()
        return _inverted(self.done) if self.negated and self.done else self.done


def _both(one: list[list[Term]], other: list[list[Term]]) -> list[list[Term]]:
    return [[*left, *right] for left in one for right in other][:MOST_TERMS]


def _inverted(alternatives: list[list[Term]]) -> list[list[Term]]:
    found: list[list[Term]] = [[]]
    for terms in alternatives:
        found = _both(found, [[replace(term, negated=not term.negated)] for term in terms])
    return found


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
    spellings = {f"{name}_{number}": words for number, words in enumerate((term.words, *term.others))}
    values |= spellings
    made = " || ".join(f"phraseto_tsquery(CAST(configuration AS regconfig), :{each})" for each in spellings)
    if term.beginning is not None:
        values[f"{name}_begins"] = f"'{term.beginning}':*"
        made = f"({made}) <-> to_tsquery('simple', :{name}_begins)"
    return f"!!({made})" if term.negated else f"({made})"


def divided(alternatives: list[list[Term]]) -> list[tuple[Term, Term]]:
    """All ways to divide the phrases of a query in two, at most MOST_TERMS."""
    found: list[tuple[Term, Term]] = []
    for term in (term for terms in alternatives for term in terms if not term.negated):
        words = term.words.split()
        if not term.runs and term.beginning is None:
            parts = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(1, len(words))]
        elif len(term.runs) == 1:
            parts = [(term.runs[0][:n], term.runs[0][n:]) for n in range(1, len(term.runs[0]))]
        else:
            continue
        for left, right in parts:
            found += ((Term(searched_words(left)), after) for after in _phrase(right, False))
    return found[:MOST_TERMS]


def halves(ways: list[tuple[Term, Term]]) -> tuple[str, dict[str, Any]]:
    """SQL of a list of two queries each, by the rules of :configuration, and its parameters."""
    values: dict[str, Any] = {}
    pairs = [f"ARRAY[CAST({_term(one, values)} AS text), CAST({_term(other, values)} AS text)]" for one, other in ways]
    return f"ARRAY[{', '.join(pairs)}]", values


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
    ignore_accents: bool = True
    """Whether words typed without accents find those with them."""
    by: str = "words"
    """Or "meaning", "both", or "any", which is both where there is an index: for `channelscribe.catalogue.meaning`."""

    @property
    def fingerprint(self) -> str:
        """Eight characters that tell one question from another."""
        asked = (
            self.query,
            self.channel,
            self.speaker,
            self.entity,
            self.since,
            self.until,
            self.language,
            self.ignore_accents,
            *([] if self.by == "words" else [self.by]),
        )
        return content_key(*map(clean_text, map(str, asked)))[:8]


@dataclass(slots=True)
class Conditions:
    """SQL of a question, with its parameters."""

    segments: str
    videos: str
    rank: str
    values: dict[str, Any]
    filters: str = "true"
    """Of `segments` what is not the query."""
    queries: tuple[tuple[str, ...], ...] = ()
    """The languages of each query in `values` (`query_0`, …)."""


# The query by the rules of each language that the library has; those with the same rules together, since each of them
# is a condition of its own. DISTINCT would read every row of the index, the recursion reads one of each language. The
# setting is for the statements after it in this transaction: psycopg prepares what comes often, and a plan that is made
# without the words knows nothing of how common they are.
QUERIES = """
WITH RECURSIVE known AS (SELECT min(language) AS language FROM segment UNION ALL
    SELECT (SELECT min(language) FROM segment WHERE language > known.language)
    FROM known WHERE language IS NOT NULL),
alike AS (SELECT coalesce(configuration, :simple) AS configuration, array_agg(language ORDER BY language) AS languages
    FROM known LEFT JOIN unnest(CAST(:languages AS text[]), CAST(:configurations AS text[]))
        AS rules (language, configuration) USING (language)
    WHERE language = coalesce(:language, language) GROUP BY 1)
SELECT languages, CAST(({query}) AS text) AS query, set_config('plan_cache_mode', 'force_custom_plan', true)
FROM alike ORDER BY configuration
"""


SAID_BY = """(speaker = :speaker OR (transcript_pk, speaker) IN (SELECT transcript_pk, label
    FROM speaker_voice JOIN voice ON voice.id = voice_pk WHERE lower(name) = lower(:speaker)))"""


def conditions(session: Transaction, question: Question, alternatives: list[list[Term]]) -> Conditions | None:
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
        segments.append(SAID_BY if has_voices(session) else "speaker = :speaker")
        values["speaker"] = clean_text(question.speaker)
    if question.language is not None:
        segments.append("language = :language")
        values["language"] = clean_text(question.language).lower()
    if question.entity is not None:
        segments.append("(transcript_pk, index) IN (SELECT transcript_pk, segment FROM entity WHERE key = ANY(:names))")
        values["names"] = spellings(session, question.entity)
    rank = "CAST(0 AS real)"
    filters = " AND ".join(segments or ["true"])
    spoken: list[tuple[str, ...]] = []
    if question.query.strip():
        found = _matching(session, alternatives, values.get("language"))
        if found is None:
            return None
        matches, rank, queries = found
        segments.append(matches)
        values |= queries
        spoken = [tuple(queries[f"languages_{number}"]) for number in range(len(queries) // 2)]
    if not segments and len(videos) == 1:
        return None
    matching = " AND ".join(segments or ["true"])
    return Conditions(matching, " AND ".join(videos), rank, values, filters, tuple(spoken))


def _matching(
    session: Transaction, alternatives: list[list[Term]], language: str | None
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


SIMPLE = "simple"
LANGUAGES = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""PostgreSQL's text search configuration of each language, ISO 639-1; those that every version since 15 has."""

_UNSPACED = (
    "[\u0e01-\u0e2e\u0e30-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u3005-\u3007"
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]"
)
_MARK = (
    "[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u105e-\u1060"
    "\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u17b4-\u17d3\u3099\u309a]"
)
_BLANK = (
    "[\u0080-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u0387\u055a-\u055f\u0589\u058a\u05be"
    "\u05c0\u05c3\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u0e2f\u0e3f\u0e4f\u0e5a\u0e5b"
    "\u104a-\u104f\u1361-\u1368\u17d4-\u17db\u2000-\u200b\u200e-\u206f\u2190-\u2bff\u2e00-\u2e7f\u3000-\u3004"
    "\u3008-\u3030\u303d\u30a0\u30fb\ufe00-\ufe6f\ufeff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    "\U0001f000-\U0001faff\U000e0000-\U000e0fff]"
)
_RUN = re.compile(f"{_UNSPACED}+")
_LETTER = re.compile(f"{_UNSPACED}{_MARK}*")
_BLANKS = re.compile(f"{_BLANK}+")
WORD = re.compile(rf"[^\s\x00-/:-@\[-`{{-\x7f{_BLANK[1:-1]}]+")
"""What stands between blanks and marks; unlike `\\w+` with the vowel signs of Indian scripts."""


def configuration(language: str) -> str:
    """PostgreSQL's text search configuration of a language."""
    return LANGUAGES.get(language, SIMPLE)


def searched_words(text: str) -> str:
    """What `channelscribe_words` makes of a text, but for the number of blanks."""
    if text.isascii():
        return " ".join(text.split(" "))
    plain = _BLANKS.sub(" ", unicodedata.normalize("NFKC", text).replace("’", "'"))
    return _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", plain)


def without_open_end(words: str) -> tuple[str, str | None]:
    """Searched words of a query for what may go on, as (words, a beginning of the next word or None).

    The last letter of a run stands alone in the index only where the run ends there; a run of one letter is the
    beginning of a pair.
    """
    *before, last = words.split() or [""]
    if not _LETTER.fullmatch(last):
        return words, None
    pair = before[-1] if before else ""
    if pair.endswith(last) and len(_LETTER.findall(pair)) == 2 and _RUN.fullmatch(pair):
        return " ".join(before), None
    return " ".join(before), last


def unspaced_runs(text: str) -> list[str]:
    """The runs of scripts without spaces in a text."""
    return _RUN.findall(unicodedata.normalize("NFKC", text))


def _pairs(run: str) -> list[str]:
    letters = _LETTER.findall(run)
    return [one + other for one, other in zip(letters, [*letters[1:], ""], strict=True)]
