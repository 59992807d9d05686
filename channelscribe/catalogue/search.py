"""Full-text search over current transcripts, and the index of names.

A query is PostgreSQL's web search syntax: words, "a phrase", or, -without. English is stemmed, every other
language is matched word for word. Nothing that a person can type raises.

Names are counted by what `channelscribe.text.names` takes for one name: that needs the counts of a channel, so it is
done here and not where names are written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlmodel import Session

from channelscribe.catalogue.cleaning import clean_text
from channelscribe.catalogue.connection import execute
from channelscribe.text.names import Name, entity_key, variants

__all__ = ["EntityCount", "Hit", "entities", "search", "url_at"]

LONGEST_QUERY = 1000
"""Characters; PostgreSQL refuses words over 2046 bytes and queries over a megabyte."""
HIGHLIGHT = "**"
# A dash that negates nothing: PostgreSQL 18 raises "tsquery stack too small" on 32 of them in a row.
_STRAY_DASH = re.compile(r'-(?![\w"])')


@dataclass(frozen=True, slots=True)
class Hit:
    """One segment that matches. Times in seconds; `highlighted` is `text` with **matched** words marked."""

    video: str
    site: str
    title: str
    start: float
    end: float
    speaker: str | None
    text: str
    highlighted: str
    url: str
    rank: float


@dataclass(frozen=True, slots=True)
class EntityCount:
    """How often a name is mentioned, and in how many videos. `text` is its most frequent spelling."""

    text: str
    key: str
    label: str
    mentions: int
    videos: int


ENGLISH = "websearch_to_tsquery('english', :query)"
OTHER = "websearch_to_tsquery('simple', :query)"
# Two comparisons rather than one over a CASE, because each of them can use the index.
MATCHES = f"(language = 'en' AND search @@ {ENGLISH} OR language <> 'en' AND search @@ {OTHER})"
IN_CHANNEL = """EXISTS (SELECT 1 FROM source_video JOIN source ON source.id = source_pk
    WHERE video_pk = video.id AND lower(:channel) IN
        (lower(source.title), lower(source_id), lower(source.site || ':' || source_id), lower(source.url)))"""
NAMES_ENTITY = """EXISTS (SELECT 1 FROM entity WHERE entity.transcript_pk = segment.transcript_pk
    AND entity.segment = segment.index AND (entity.key = ANY(:spellings) OR lower(entity.text) = :entity))"""

# The inner query ranks and cuts; only what is left is highlighted, which is slow.
SEARCH = """
WITH hit AS MATERIALIZED (
    SELECT video.id, video.video_id, video.site, video.title, video.url, video.published, segment.index,
        segment.language, segment.start, segment."end", segment.speaker, segment.text,
        ts_rank_cd(search, CASE language WHEN 'en' THEN {english} ELSE {other} END) AS rank
    FROM segment JOIN video ON video.current_transcript_pk = segment.transcript_pk
    WHERE {conditions}
    ORDER BY rank DESC, video.published DESC NULLS LAST, video.id, segment.index
    LIMIT :limit)
SELECT hit.*, CASE language WHEN 'en' THEN ts_headline('english', text, {english}, :marks)
    ELSE ts_headline('simple', text, {other}, :marks) END AS highlighted
FROM hit ORDER BY rank DESC, published DESC NULLS LAST, id, index
"""

# Each mention with its channel: the one asked for (0), else the first one that its video was listed in.
MENTIONS = """
FROM entity JOIN video ON video.current_transcript_pk = entity.transcript_pk
LEFT JOIN (SELECT video_pk, CASE WHEN :one THEN 0 ELSE min(source_pk) END AS channel
    FROM source_video GROUP BY video_pk) AS home ON home.video_pk = video.id
"""
NAMES = f"""SELECT coalesce(channel, 0) AS channel, entity.key, entity.label, count(*) AS mentions {MENTIONS}
WHERE {{conditions}} GROUP BY 1, 2, 3"""
# What is at most two letters longer or shorter and begins alike: spellings of the name, and other spellings of those.
NEAR = "left(entity.key, 1) = left(:key, 1) AND length(entity.key) BETWEEN length(:key) - 2 AND length(:key) + 2"
ENTITIES = f"""
WITH same AS (SELECT * FROM unnest(CAST(:channels AS bigint[]), CAST(:keys AS text[]), CAST(:labels AS text[]),
    CAST(:names AS text[])) AS same (channel, key, label, name)),
mention AS (SELECT entity.text, coalesce(same.name, entity.key) AS key, entity.label, video.id AS video {MENTIONS}
    LEFT JOIN same ON same.channel = coalesce(home.channel, 0) AND same.key = entity.key AND same.label = entity.label
    WHERE {{conditions}})
SELECT mode() WITHIN GROUP (ORDER BY text) AS text, key, label, count(*) AS mentions, count(DISTINCT video) AS videos
FROM mention GROUP BY key, label ORDER BY mentions DESC, key, label LIMIT :limit
"""  # noqa: S608 - constants of this file


def search(
    session: Session,
    query: str,
    *,
    channel: str | None,
    speaker: str | None,
    entity: str | None,
    since: date | None,
    limit: int,
) -> list[Hit]:
    """The best hits first. An empty query with a filter lists what the filter leaves, in order of the videos."""
    query = _STRAY_DASH.sub(" ", clean_text(query)[:LONGEST_QUERY]).strip()
    conditions = {
        IN_CHANNEL: channel,
        "segment.speaker = :speaker": speaker,
        NAMES_ENTITY: entity,
        "video.published >= :since": since,
    }
    wanted = [condition for condition, value in conditions.items() if value is not None]
    if not query and not wanted:
        return []
    if query:
        wanted.append(MATCHES)
    statement = SEARCH.format(english=ENGLISH, other=OTHER, conditions=" AND ".join(wanted))
    name = " ".join(clean_text(entity).casefold().split()) if entity is not None else None
    values = _cleaned(channel=channel, speaker=speaker, entity=name)
    spellings = _spellings(session, name) if name is not None else []
    marks = f"StartSel={HIGHLIGHT}, StopSel={HIGHLIGHT}, HighlightAll=true"
    given = {"query": query, "since": since, "limit": limit, "marks": marks, "spellings": spellings}
    return [_hit(row) for row in execute(session, statement, **given, **values).mappings()]


def entities(session: Session, channel: str | None, label: str | None, limit: int) -> list[EntityCount]:
    """Names in current transcripts, the most mentioned first; spellings that are rare in a channel count as the
    frequent one (`channelscribe.text.names`).
    """
    conditions = {IN_CHANNEL: channel, "entity.label = :label": label}
    wanted = " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"
    given = {"one": channel is not None, **_cleaned(channel=channel, label=label)}
    same = _same_names(session, wanted, **given)
    columns = {
        "channels": [at for at, _, _ in same],
        "keys": [key for _, (key, _), _ in same],
        "labels": [label for _, (_, label), _ in same],
        "names": [key for _, _, (key, _) in same],
    }
    rows = execute(session, ENTITIES.format(conditions=wanted), limit=limit, **columns, **given).mappings()
    return [EntityCount(**row) for row in rows]


def _same_names(session: Session, wanted: str, **given: Any) -> list[tuple[int, Name, Name]]:
    """(channel, spelling, the name that it is of) among the mentions that meet a condition."""
    counts: dict[int, dict[Name, int]] = {}
    for row in execute(session, NAMES.format(conditions=wanted), **given):
        counts.setdefault(row.channel, {})[row.key, row.label] = row.mentions
    return [(at, name, other) for at, of in counts.items() for name, other in variants(of).items()]


def _spellings(session: Session, name: str) -> list[str]:
    """Keys of a name and of its spellings in any channel."""
    key = entity_key(name)
    same = _same_names(session, NEAR, one=False, key=key)
    names = {other for _, spelling, other in same if key in (spelling[0], other[0])}
    return sorted({key} | {each[0] for _, *pair in same if pair[1] in names for each in pair})


def url_at(site: str, url: str, seconds: float) -> str:
    """The video's page at a second: YouTube's `t` parameter, elsewhere a media fragment (W3C, `#t=`)."""
    parts = urlsplit(url)
    second = max(int(seconds), 0)
    if site.lower().startswith("youtube"):
        query = [(name, value) for name, value in parse_qsl(parts.query) if name != "t"]
        return urlunsplit(parts._replace(query=urlencode([*query, ("t", f"{second}s")]), fragment=""))
    return urlunsplit(parts._replace(fragment=f"t={second}"))


def _hit(row: Any) -> Hit:
    names = ("site", "title", "start", "end", "speaker", "text", "highlighted", "rank")
    url = url_at(row["site"], row["url"], row["start"])
    return Hit(video=row["video_id"], url=url, **{name: row[name] for name in names})


def _cleaned(**values: str | None) -> dict[str, str]:
    return {name: clean_text(value) for name, value in values.items() if value is not None}
