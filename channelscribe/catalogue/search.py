"""Full-text search over current transcripts; what a query may say is in `search_query`.

Hits are segments, the best first: by cover density (`ts_rank_cd`), then the newest video. What more than RANKED
segments match is too common for ranks to tell anything, and is given in the order of the videos instead, the newest
first, which stops at the last hit that is asked for. Nothing that a person can type raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlmodel import Session

from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.search_conditions import Conditions, Question, conditions
from channelscribe.catalogue.search_marks import highlighted
from channelscribe.catalogue.search_pages import Place
from channelscribe.catalogue.search_query import parse

__all__ = ["Hit", "Question", "search", "url_at"]

RANKED = 10_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One segment that matches. Times in seconds; `highlighted` is `text` with **matched** words marked.

    `place` is for the next page, which begins after this hit. `rank` is 0 where hits are in order of their videos.
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


def search(session: Session, question: Question, limit: int, after: str | None = None) -> list[Hit]:
    """The best hits first, those after the place `after`. An empty query with a filter lists what the filter leaves.

    Raises UsageError for a place that is none, or of another question.
    """
    asked = question.fingerprint
    place = None if after is None else Place.from_text(after, asked)
    alternatives = parse(question.query)
    asking = conditions(session, question, alternatives)
    if asking is None:
        return []
    rows = None if place and place.rank is None else _ranked(session, asking, limit, place)
    if rows is None:
        rows = _by_video(session, asking, limit, place)
    terms = [term for terms in alternatives for term in terms]
    marked = highlighted(session, terms, [(row["language"], row["text"]) for row in rows]) if rows else []
    return [_hit(row, text, asked) for row, text in zip(rows, marked, strict=True)]


def _ranked(session: Session, asking: Conditions, limit: int, place: Place | None) -> Sequence[Any] | None:
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


def _by_video(session: Session, asking: Conditions, limit: int, place: Place | None) -> Sequence[Any]:
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
