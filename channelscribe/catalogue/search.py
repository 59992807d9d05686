"""Full-text search over current transcripts; what a query may say is in `search_query`.

Hits are segments, the best first: by cover density (`ts_rank_cd`), then the newest video. What more than RANKED
segments match is too common for ranks to tell anything, and is given in the order of the videos instead, the newest
first, which stops at the last hit that is asked for. Nothing that a person can type raises.

Pages go on after a place and not after a number of hits: what is published in between stands before or after that
place and moves nothing, so no hit comes twice and none is left out. Only what is transcribed anew in between may.

PostgreSQL's own `ts_headline` takes marks beyond ASCII for letters, as its parser does, and knows nothing of our pairs
of letters. So the words of hits are stemmed in the database, all at once, and compared and marked here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.search_query import (
    WORD,
    Conditions,
    Question,
    Term,
    conditions,
    configuration,
    divided,
    halves,
    parse,
)
from channelscribe.catalogue.voices import has_voices
from channelscribe.catalogue.words import other_spellings
from channelscribe.errors import UsageError
from channelscribe.languages import WITHOUT_SPACES

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Transaction

__all__ = ["HIGHLIGHT", "Hit", "Place", "Question", "facets", "highlighted", "search", "url_at"]

RANKED = 10_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One segment that matches. Times in seconds; `highlighted` is `text` with **matched** words marked.

    `place` is for the next page, which begins after this hit. `rank` is 0 where hits are in order of their videos.
    A hit by meaning is a passage; its times are those of `answer`, the sentence in it that is most like the query.
    """

    video: str
    site: str
    title: str
    published: date | None
    language: str
    start: float
    end: float
    speaker: str | None
    text: str
    highlighted: str
    url: str
    rank: float
    place: str
    by: str = "words"
    answer: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `--json` and the read API tell of it; `by` and `answer` are of what was found by its meaning."""
        names = ["video", "title", "start", "end", "speaker", "text", "url"]
        names += ["by", "answer"] if self.by != "words" else []
        return {name: getattr(self, name) for name in names}


# Days before the last day that dates know: orders the newest first, and what has no date last.
AGE = "DATE '9999-12-31' - coalesce(published, DATE '0001-01-01')"
SHOWN = """video.id, video_id, site, title, url, published, language, segment.index, start, "end", speaker, text"""
RANKED_HITS = f"""
WITH match AS MATERIALIZED (
    SELECT transcript_pk, index, language, search FROM segment
    WHERE {{segments}} AND transcript_pk IN (SELECT current_transcript_pk FROM video WHERE {{videos}})
    LIMIT :most + 1),
placed AS (SELECT transcript_pk, index, {{rank}} AS rank, video.id, {AGE} AS age
    FROM match JOIN video ON current_transcript_pk = transcript_pk
    WHERE coalesce((SELECT count(*) FROM match) <= :most, true)),
page AS (SELECT * FROM placed WHERE {{after}} ORDER BY -rank, age, id, index LIMIT :limit)
SELECT matches, {SHOWN}, rank, age FROM (SELECT count(*) AS matches FROM match) AS counted
LEFT JOIN (page JOIN video USING (id) JOIN segment USING (transcript_pk, index)) ON true
ORDER BY -rank, age, video.id, segment.index
"""  # noqa: S608 - constants of this file and of its neighbours
# The order of the outer rows holds through a nested loop, so that few videos are read.
HITS_BY_VIDEO = f"""
SELECT {SHOWN}, CAST(NULL AS real) AS rank, age
FROM (SELECT *, {AGE} AS age FROM video WHERE current_transcript_pk IS NOT NULL AND {{videos}} AND {{after_video}}
    ORDER BY age, id) AS video
CROSS JOIN LATERAL (SELECT * FROM segment WHERE transcript_pk = video.current_transcript_pk AND {{segments}}
    ORDER BY index) AS segment
WHERE {{after}} ORDER BY age, video.id, segment.index LIMIT :limit
"""  # noqa: S608


def search(session: Transaction, question: Question, limit: int = 20, after: str | None = None) -> list[Hit]:
    """The best hits first, those after the place `after`. An empty query with a filter lists what the filter leaves.

    Raises UsageError for a place that is none, or of another question.
    """
    return _hits(session, question, *_asked(session, question), limit, after)


def _asked(session: Transaction, question: Question) -> tuple[list[list[Term]], Conditions | None]:
    alternatives = parse(question.query)
    if question.ignore_accents:
        alternatives = other_spellings(session, alternatives)
    return alternatives, conditions(session, question, alternatives)


def _hits(
    session: Transaction,
    question: Question,
    alternatives: list[list[Term]],
    asking: Conditions | None,
    limit: int,
    after: str | None,
) -> list[Hit]:
    asked = question.fingerprint
    place = None if after is None else Place.from_text(after, asked)
    if asking is None:
        return []
    rows = None if place and place.rank is None else _ranked(session, asking, limit, place)
    if rows is None:
        rows = _by_video(session, asking, limit, place)
    if len(rows) < limit:
        rows = [*rows, *_over_ends(session, asking, alternatives, limit - len(rows), place)]
    names = _names(session, rows)
    terms = [term for terms in alternatives for term in terms]
    marked = highlighted(session, terms, [(row["language"], row["text"]) for row in rows]) if rows else []
    return [
        replace(_hit(row, text, asked), speaker=names.get((row["id"], row["speaker"]), row["speaker"]))
        for row, text in zip(rows, marked, strict=True)
    ]


# A phrase that goes over the end of a segment: a part of it in this one, the rest in the next, both in one language's
# rules, and the whole in neither. GIN finds the parts; the two texts together must match the query.
OVER_END = """
SELECT one.transcript_pk, one.index FROM segment AS one
JOIN segment AS next ON next.transcript_pk = one.transcript_pk AND next.index = one.index + 1
WHERE one.search @@ CAST(:left_{way} AS tsquery) AND next.search @@ CAST(:right_{way} AS tsquery)
    AND one.language = ANY(:spoken) AND next.language = ANY(:spoken)
    AND NOT one.search @@ CAST(:whole AS tsquery) AND NOT next.search @@ CAST(:whole AS tsquery)
    AND channelscribe_search(one.language, concat(one.text, {joint}, next.text)) @@ CAST(:whole AS tsquery)
"""
OVER_ENDS = f"""
WITH found AS MATERIALIZED (SELECT DISTINCT transcript_pk, index FROM ({{ways}}) AS each)
SELECT video.id, video_id, site, title, url, published, language, segment.index, start, next_end AS "end", speaker,
    concat(text, {{joint}}, next_text) AS text,
    CAST({{rank}} AS real) AS rank, {AGE} AS age
FROM found JOIN video ON current_transcript_pk = transcript_pk JOIN segment USING (transcript_pk, index)
CROSS JOIN LATERAL (SELECT next.text AS next_text, next."end" AS next_end FROM segment AS next
    WHERE next.transcript_pk = segment.transcript_pk AND next.index = segment.index + 1) AS following
WHERE {{filters}} AND {{videos}} AND {{after}} ORDER BY age, video.id, segment.index LIMIT :limit
"""  # noqa: S608
LAST = -1.0
"""In the place of a rank: these hits come after all others."""


def _over_ends(
    session: Transaction, asking: Conditions, alternatives: list[list[Term]], limit: int, place: Place | None
) -> list[Any]:
    """Hits of phrases over the ends of segments, as rows of the two segments together, the newest first."""
    ways = divided(alternatives)
    if not ways:
        return []
    joint = "CASE WHEN segment.language = ANY(:unspaced) THEN '' ELSE ' ' END"
    sql, terms = halves(ways)
    after, values = "true", {name: each for name, each in asking.values.items() if "query_" not in name}
    if place is not None and place.rank == LAST:
        after = f"({AGE}, video.id, segment.index) > (CAST(:age AS integer), :video, :place)"
        values |= {"age": place.age, "video": place.video, "place": place.index}
    found: list[Any] = []
    for number, spoken in enumerate(asking.queries):
        rules = {"configuration": configuration(spoken[0])}
        parted = f"SELECT {sql} FROM (SELECT CAST(:configuration AS text) AS configuration) AS rules"  # noqa: S608
        pairs = [pair for pair in execute(session, parted, **rules, **terms).scalar_one() if all(pair)]
        if not pairs:
            continue
        parts = {f"left_{n}": pair[0] for n, pair in enumerate(pairs)}
        parts |= {f"right_{n}": pair[1] for n, pair in enumerate(pairs)}
        each = " UNION ALL ".join(
            OVER_END.format(way=n, joint=joint.replace("segment.", "one.")) for n in range(len(pairs))
        )
        statement = OVER_ENDS.format(
            ways=each, joint=joint, rank=LAST, filters=asking.filters, videos=asking.videos, after=after
        )
        given = {"whole": asking.values[f"query_{number}"], "spoken": list(spoken), "unspaced": sorted(WITHOUT_SPACES)}
        found += execute(session, statement, limit=limit, **parts, **given, **values).mappings().all()
    return sorted(found, key=lambda row: (row["age"], row["id"], row["index"]))[:limit]


def _names(session: Transaction, rows: Sequence[Any]) -> dict[tuple[int, str], str]:
    """What the hits' speakers are called, by video and label."""
    if not rows or not has_voices(session):
        return {}
    query = """SELECT video.id, label, name FROM video JOIN speaker_voice ON transcript_pk = current_transcript_pk
        JOIN voice ON voice.id = voice_pk WHERE video.id = ANY(:videos) AND name IS NOT NULL"""
    named = execute(session, query, videos=sorted({row["id"] for row in rows}))
    return {(row.id, row.label): row.name for row in named}


FACETS = f"""
WITH match AS MATERIALIZED (
    SELECT transcript_pk, index, language, speaker FROM segment
    WHERE {{segments}} AND transcript_pk IN (SELECT current_transcript_pk FROM video WHERE {{videos}}) LIMIT {RANKED}),
found AS (SELECT transcript_pk, index, language, {{speaker}} AS speaker, video.id AS video, published
    FROM match JOIN video ON current_transcript_pk = transcript_pk {{names}})
SELECT * FROM (
    SELECT 'hits' AS facet, '' AS value, count(*) AS hits FROM found
    UNION ALL SELECT 'videos', '', count(DISTINCT video) FROM found
    UNION ALL SELECT 'language', language, count(*) FROM found GROUP BY 2
    UNION ALL (SELECT 'speaker', speaker, count(*) AS hits FROM found WHERE speaker IS NOT NULL
        GROUP BY 2 ORDER BY hits DESC, 2 LIMIT :most)
    UNION ALL SELECT 'year', CAST(extract(year FROM published) AS text), count(*) FROM found
        WHERE published IS NOT NULL GROUP BY 2
    UNION ALL (SELECT 'channel', coalesce(nullif(source.title, ''), source.url), count(*) AS hits FROM found
        JOIN source_video ON video_pk = video JOIN source ON source.id = source_pk
        GROUP BY source.id ORDER BY hits DESC, 2 LIMIT :most)
    UNION ALL (SELECT 'entity', mode() WITHIN GROUP (ORDER BY entity.text),
        count(DISTINCT (found.transcript_pk, found.index)) AS hits FROM found
        JOIN entity ON entity.transcript_pk = found.transcript_pk AND entity.segment = found.index
        GROUP BY entity.key ORDER BY hits DESC, 2 LIMIT :most)
) AS facets ORDER BY facet, hits DESC, value
"""  # noqa: S608


CALLED = """LEFT JOIN (SELECT transcript_pk, label AS speaker, name FROM speaker_voice JOIN voice ON voice.id = voice_pk
    WHERE name IS NOT NULL) AS called USING (transcript_pk, speaker)"""


def facets(session: Transaction, question: Question, most: int = 8) -> dict[str, dict[str, int]]:
    """Segments by "language", "speaker", "year", "channel" and "entity", the most frequent values first.

    "hits" and "videos" hold the totals under "". Of what more than RANKED segments match, the first RANKED count.
    """
    return _counts(session, _asked(session, question)[1], most)


def _counts(session: Transaction, asking: Conditions | None, most: int) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {"hits": {"": 0}, "videos": {"": 0}}
    counted |= {name: {} for name in ("channel", "speaker", "year", "language", "entity")}
    if asking is not None:
        speaker, names = ("coalesce(name, speaker)", CALLED) if has_voices(session) else ("speaker", "")
        statement = FACETS.format(segments=asking.segments, videos=asking.videos, speaker=speaker, names=names)
        for row in execute(session, statement, most=most, **asking.values):
            counted[row.facet][row.value] = row.hits
    return counted


def _ranked(session: Transaction, asking: Conditions, limit: int, place: Place | None) -> Sequence[Any] | None:
    """Rows in order of their ranks; None if too many match. A ranked list that was begun is led to its end."""
    after, values = "true", dict(asking.values)
    if place is not None:
        after = "(-rank, age, id, index) > (-CAST(:rank AS real), CAST(:age AS integer), :video, :index)"
        values |= {"rank": place.rank, "age": place.age, "video": place.video, "index": place.index}
    statement = RANKED_HITS.format(rank=asking.rank, segments=asking.segments, videos=asking.videos, after=after)
    most = RANKED if place is None else None
    rows = execute(session, statement, limit=limit, most=most, **values).mappings().all()
    if place is None and rows[0]["matches"] > RANKED:
        return None
    return [row for row in rows if row["id"] is not None]


def _by_video(session: Transaction, asking: Conditions, limit: int, place: Place | None) -> Sequence[Any]:
    after_video = after = "true"
    values = dict(asking.values)
    if place is not None:
        after_video = f"({AGE}, id) >= (CAST(:age AS integer), :video)"
        after = "(age, video.id, segment.index) > (CAST(:age AS integer), :video, :index)"
        values |= {"age": place.age, "video": place.video, "index": place.index}
    statement = HITS_BY_VIDEO.format(
        segments=asking.segments, videos=asking.videos, after=after, after_video=after_video
    )
    return execute(session, statement, limit=limit, **values).mappings().all()


def url_at(site: str, url: str, seconds: float) -> str:
    """The video's page at a second: YouTube's `t` parameter, elsewhere a media fragment (W3C, `#t=`)."""
    try:
        parts = urlsplit(url)
    except ValueError:  # an address that a site made up, such as http://[
        return url
    second = max(int(seconds), 0)
    if site.lower().startswith("youtube"):
        query = [(name, value) for name, value in parse_qsl(parts.query) if name != "t"]
        return urlunsplit(parts._replace(query=urlencode([*query, ("t", f"{second}s")]), fragment=""))
    return urlunsplit(parts._replace(fragment=f"t={second}"))


def _hit(row: Any, marked: str, question: str) -> Hit:
    names = ("site", "title", "published", "language", "start", "end", "speaker", "text")
    url = url_at(row["site"], row["url"], row["start"])
    place = Place(row["rank"], row["age"], row["id"], row["index"]).to_text(question)
    shown = {name: row[name] for name in names}
    return Hit(video=row["video_id"], url=url, highlighted=marked, rank=row["rank"] or 0.0, place=place, **shown)


LARGEST = 2**63 - 1
LARGEST_INDEX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """A hit's place. `rank` is None where hits are in the order of their videos; `age` is of the video, in days."""

    rank: float | None
    age: int
    video: int
    index: int

    def to_text(self, question: str) -> str:
        """To be given back with the same question."""
        made = json.dumps([question, self.rank, self.age, self.video, self.index], separators=(",", ":"))
        return base64.urlsafe_b64encode(made.encode()).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str, question: str) -> Place:
        """Raises UsageError where it is none, or one of another question."""
        try:
            asked, rank, age, video, index = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            place = cls(None if rank is None else float(rank), int(age), int(video), int(index))
        except (ValueError, TypeError, OverflowError, binascii.Error):
            raise UsageError(f"{text[:80]!r} is not a place in a search.", remedy="Take it from a search.") from None
        in_range = abs(place.age) <= LARGEST_INDEX and 0 <= place.video <= LARGEST and 0 <= place.index <= LARGEST_INDEX
        if asked != question or not in_range:
            raise UsageError("This place is of another search.", remedy="Give the same query and filters with it.")
        return place


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


def highlighted(session: Transaction, terms: Sequence[Term], texts: Sequence[tuple[str, str]]) -> list[str]:
    """Texts, each given as (language, text), with **matched** words marked."""
    positive = [term for term in terms if not term.negated]
    wanted = " ".join(words for term in positive for words in (term.words, *term.others))
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
