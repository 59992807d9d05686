"""Watches: queries whose hits somebody is told of. What they find is written with the transcript that they find it in.

A query is what `search` understands (`search_query`), and a hit a segment. It is kept by the rules of each text search
configuration that the library has a language of, an alternative a row, beside the lexemes that must be there: of ten
thousand watches only the few are tried whose words a transcript has, and those on the segments with the rarest of them.

The outbox is `watch_delivery`, a row for each hit and target, in the transaction that publishes. `deliver_next` tells
one of them: at least once, with the hit's key, in order for each watch and target; a process that is killed meanwhile
leaves the row as it was.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from channelscribe.catalogue.connection import clean_text, execute
from channelscribe.catalogue.listings import IN_CHANNEL
from channelscribe.catalogue.search import url_at
from channelscribe.catalogue.search_query import configuration, parse, tsquery
from channelscribe.catalogue.voices import shown_names
from channelscribe.errors import UsageError
from channelscribe.files import content_key

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Database, Transaction

__all__ = [
    "EVENT",
    "FEED",
    "Hit",
    "Outcome",
    "Watch",
    "add",
    "check",
    "deliver_next",
    "entries",
    "forget_video",
    "query_of",
    "remove",
    "watches",
]

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
FEED, EVENT = "feed", "event"
"""Targets that each watch has: its Atom feed in the store, and Prefect's events."""
SAME_SECONDS = 2.0
"""Times of one word in two transcripts of a video differ by less."""
MOST_PASSAGES = 200
GIVE_UP = timedelta(days=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch, and how it goes: `waiting` deliveries are still tried, `given_up` are not any more."""

    name: str
    query: str
    source: str | None = None
    speaker: str | None = None
    notify: tuple[str, ...] = ()
    from_git: bool = False
    secret: str = ""
    hits: int = 0
    waiting: int = 0
    given_up: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """What a watch found in a version of a transcript that it had not told before. `secret` signs webhooks."""

    key: str
    watch: str
    query: str
    secret: str
    site: str
    video: str
    title: str
    url: str
    published: date | None
    version: int
    found_at: datetime
    passages: list[dict[str, Any]]

    def to_dict(self, most: int = 20) -> dict[str, Any]:
        """What webhooks and events carry; times in seconds, each passage with a link that opens there."""
        shown = [{**each, "url": url_at(self.site, self.url, each["start"])} for each in self.passages[:most]]
        return {
            "type": "channelscribe.phrase.said",
            "id": self.key,
            "watch": self.watch,
            "query": self.query,
            "video": {
                "site": self.site,
                "id": self.video,
                "title": self.title,
                "url": self.url,
                "published": self.published.isoformat() if self.published else None,
            },
            "version": self.version,
            "found_at": self.found_at.isoformat(),
            "passages": shown,
            "more": len(self.passages) - len(shown),
        }


ADD_QUERY = """
INSERT INTO watch_query (watch_pk, configuration, number, query, lexemes)
SELECT :watch, configuration, :number, {query},
    tsvector_to_array(to_tsvector(CAST(configuration AS regconfig), :words))
FROM unnest(CAST(:configurations AS text[])) AS configuration
"""
# One of each; DISTINCT would read every row of the index.
KNOWN_LANGUAGES = """
WITH RECURSIVE known AS (SELECT min(language) AS language FROM segment UNION ALL
    SELECT (SELECT min(language) FROM segment WHERE language > known.language)
    FROM known WHERE language IS NOT NULL)
SELECT language FROM known WHERE language IS NOT NULL
"""
NOT_YET = """SELECT id, query FROM watch
    WHERE NOT EXISTS (SELECT FROM watch_query WHERE watch_pk = id AND configuration = :configuration)"""


def add(session: Session, watch: Watch) -> Watch:
    """Keep a watch; one of the same name is replaced, its secret and what it told stay. Raises UsageError.

    A name is made from the query where `watch` has none.
    """
    query = clean_text(watch.query)
    alternatives = parse(query)
    if not alternatives or any(all(term.negated for term in terms) for terms in alternatives):
        raise UsageError(f"{query!r} would match almost everything, or nothing.", remedy="Name words that are said.")
    name = watch.name or _free_name(session, query)
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a watch.", remedy="Small letters, digits and dashes, 60 at most.")
    values = {
        "name": name,
        "query": query,
        "source": watch.source and clean_text(watch.source),
        "speaker": watch.speaker and clean_text(watch.speaker),
        "notify": list(watch.notify),
        "git": watch.from_git,
        "secret": watch.secret or f"whsec_{b64encode(secrets.token_bytes(24)).decode()}",
    }
    statement = """INSERT INTO watch (name, query, source, speaker, notify, from_git, secret)
        VALUES (:name, :query, :source, :speaker, :notify, :git, :secret)
        ON CONFLICT (name) DO UPDATE SET query = excluded.query, source = excluded.source, speaker = excluded.speaker,
            notify = excluded.notify, from_git = excluded.from_git RETURNING id, secret"""
    row = execute(session, statement, **values).one()
    execute(session, "DELETE FROM watch_query WHERE watch_pk = :watch", watch=row.id)
    languages = execute(session, KNOWN_LANGUAGES).scalars().all()
    if languages:
        _compile(session, row.id, query, sorted({configuration(language) for language in languages}))
    return Watch(name, query, watch.source, watch.speaker, tuple(watch.notify), watch.from_git, row.secret)


def _compile(session: Transaction, watch_pk: int, query: str, configurations: list[str]) -> None:
    """Keep a query by the rules of these configurations."""
    for number, terms in enumerate(parse(query)):
        made, given = tsquery([terms])
        words = " ".join(term.words for term in terms if not term.negated)
        given |= {"watch": watch_pk, "number": number, "words": words, "configurations": configurations}
        execute(session, ADD_QUERY.format(query=made), **given)


def _free_name(session: Session, query: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", query.lower()).strip("-")[:40].strip("-") or "watch"
    known = set(execute(session, "SELECT name FROM watch WHERE name LIKE :like", like=f"{plain}%").scalars())
    return next(name for name in (plain, *(f"{plain}-{n}" for n in range(2, 10_000))) if name not in known)


def remove(session: Session, name: str) -> bool:
    """Whether there was one; what it told goes with it."""
    return bool(execute(session, "DELETE FROM watch WHERE name = :name RETURNING id", name=name).all())


WATCHES = """
SELECT name, query, source, speaker, notify, from_git, secret, count(DISTINCT hit.id) AS hits,
    count(*) FILTER (WHERE told.hit_pk IS NOT NULL AND delivered_at IS NULL AND given_up_at IS NULL) AS waiting,
    count(*) FILTER (WHERE given_up_at IS NOT NULL) AS given_up, max(error) FILTER (WHERE delivered_at IS NULL) AS error
FROM watch LEFT JOIN watch_hit AS hit ON hit.watch_pk = watch.id LEFT JOIN watch_delivery AS told ON hit_pk = hit.id
GROUP BY watch.id ORDER BY name
"""


def watches(session: Transaction) -> list[Watch]:
    """All of them, by name."""
    return [Watch(**{**row, "notify": tuple(row["notify"])}) for row in execute(session, WATCHES).mappings()]


# Those whose words are all somewhere in the transcript are tried where the rarest of them is; those that need none of
# them (beginnings alone) everywhere. The second is that of the word; where none is found (scripts without spaces), the
# segment's.
CHECK = """
WITH said AS MATERIALIZED (
    SELECT index, lexeme FROM segment, unnest(tsvector_to_array(search)) AS lexeme WHERE transcript_pk = :transcript),
counted AS MATERIALIZED (SELECT lexeme, count(*) AS count FROM said GROUP BY lexeme),
candidate AS MATERIALIZED (
    SELECT watch_pk, number, substr(min(lpad(CAST(count AS text), 9, '0') || lexeme), 10) AS rarest
    FROM watch_query CROSS JOIN LATERAL unnest(lexemes) AS lexeme JOIN counted USING (lexeme)
    WHERE configuration = :configuration
    GROUP BY watch_pk, number, cardinality(lexemes) HAVING count(*) = cardinality(lexemes)),
place AS (
    SELECT watch_pk, number, index, rarest FROM candidate JOIN said ON lexeme = rarest
    UNION ALL SELECT watch_pk, number, index, '' FROM watch_query CROSS JOIN segment
    WHERE configuration = :configuration AND cardinality(lexemes) = 0 AND transcript_pk = :transcript),
matched AS (
    SELECT DISTINCT ON (watch_pk, index) watch_pk, index, rarest
    FROM place JOIN watch_query USING (watch_pk, number) JOIN segment USING (index)
    WHERE configuration = :configuration AND transcript_pk = :transcript AND search @@ query
    ORDER BY watch_pk, index, number)
SELECT watch.id, watch.name, source, watch.speaker AS wanted, notify, segment.speaker, text,
    coalesce((SELECT min(word_start) FROM unnest(word_texts, word_starts) AS word (word, word_start)
        WHERE rarest = ANY(tsvector_to_array(to_tsvector(CAST(:configuration AS regconfig),
            channelscribe_words(word))))), start) AS start
FROM matched JOIN watch ON watch.id = watch_pk
    JOIN segment ON segment.transcript_pk = :transcript AND segment.index = matched.index
ORDER BY watch.id, segment.index
"""
TOLD = """
SELECT watch_pk, CAST(passage ->> 'start' AS float8) AS start
FROM watch_hit, jsonb_array_elements(passages) AS passage WHERE video_pk = :video AND watch_pk = ANY(:watches)
"""
ADD_HIT = """
INSERT INTO watch_hit (watch_pk, video_pk, version, key, passages)
VALUES (:watch, :video, :version, :key, CAST(:passages AS jsonb)) ON CONFLICT (key) DO NOTHING RETURNING id
"""
ADD_DELIVERIES = "INSERT INTO watch_delivery (hit_pk, target) SELECT :hit, unnest(CAST(:targets AS text[]))"


def check(
    session: Transaction, video_pk: int, transcript_pk: int, transcript_id: str, version: int, language: str
) -> int:
    """Look for what all watches want in a transcript whose segments are there; returns how many found something.

    What was told of another version of the video, within SAME_SECONDS of the same moment, is not told again.
    """
    if not execute(session, "SELECT EXISTS (SELECT FROM watch)").scalar_one():
        return 0
    rules = configuration(language)
    for row in execute(session, NOT_YET, configuration=rules).all():  # the first transcript of a language
        _compile(session, row.id, row.query, [rules])
    rows = execute(session, CHECK, transcript=transcript_pk, configuration=rules).all()
    of_source = {
        source: _is_listed_in(session, video_pk, source) for source in {row.source for row in rows if row.source}
    }
    names = shown_names(session, [transcript_pk]).get(transcript_pk, {}) if rows else {}
    rows = [
        row
        for row in rows
        if of_source.get(row.source, True)
        and (row.wanted is None or _same(row.wanted, row.speaker) or _same(row.wanted, names.get(row.speaker)))
    ]
    before: dict[int, list[float]] = {}
    for told in execute(session, TOLD, video=video_pk, watches=list({row.id for row in rows})):
        before.setdefault(told.watch_pk, []).append(told.start)
    found: dict[int, list[Any]] = {}
    for row in rows:
        if not any(abs(row.start - start) < SAME_SECONDS for start in before.get(row.id, ())):
            found.setdefault(row.id, []).append(row)
    for watch, passages in found.items():
        one = passages[0]
        kept = [{"start": each.start, "speaker": each.speaker, "text": each.text.strip()} for each in passages]
        values = {
            "watch": watch,
            "video": video_pk,
            "version": version,
            "key": content_key("watch hit", one.name, str(video_pk), transcript_id)[:32],
            "passages": orjson.dumps(kept[:MOST_PASSAGES]).decode(),
        }
        for hit in execute(session, ADD_HIT, **values).scalars().all():
            execute(session, ADD_DELIVERIES, hit=hit, targets=sorted({FEED, EVENT, *one.notify}))
    return len(found)


def _is_listed_in(session: Transaction, video_pk: int, source: str) -> bool:
    query = f"SELECT EXISTS (SELECT FROM video WHERE video.id = :video AND {IN_CHANNEL})"  # noqa: S608
    return bool(execute(session, query, video=video_pk, channel=source).scalar_one())


def _same(one: str, other: str | None) -> bool:
    return other is not None and one.casefold() == other.casefold()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try. `error` is None where it was told; `given_up`: it will not be tried again."""

    hit: Hit
    target: str
    error: str | None = None
    given_up: bool = False


FIELDS = """key, watch.name AS watch, query, secret, site, video.video_id AS video, title, url, published, version,
    watch_hit.created_at AS found_at, passages"""
# The first that is open of each watch and target: what comes after it waits.
HEADS = """
SELECT DISTINCT ON (watch_pk, target) hit_pk, watch_pk, target, next_try_at <= now() AS due
FROM watch_delivery JOIN watch_hit ON watch_hit.id = hit_pk
WHERE delivered_at IS NULL AND given_up_at IS NULL
    AND (target = ANY(:targets) OR target LIKE 'http%://%' OR (:blocks AND target <> ALL(:special)))
ORDER BY watch_pk, target, hit_pk
"""
TAKE = f"""
SELECT {FIELDS}, watch_delivery.attempts FROM watch_delivery JOIN watch_hit ON watch_hit.id = hit_pk
    JOIN watch ON watch.id = watch_pk JOIN video ON video.id = video_pk
WHERE hit_pk = :hit AND target = :target AND delivered_at IS NULL AND given_up_at IS NULL AND next_try_at <= now()
FOR UPDATE OF watch_delivery SKIP LOCKED
"""  # noqa: S608
Tell = Callable[[Hit, str], None]


def deliver_next(
    catalogue: Database, tell: Tell, targets: Sequence[str] = (FEED,), *, blocks: bool = False
) -> list[Outcome]:
    """Try each delivery whose turn it is once; empty when nothing is due. Two processes at once tell nothing twice.

    `tell(hit, target)` raises what keeps it from being told. Webhooks are tried, of FEED and EVENT those in `targets`,
    and with `blocks` the blocks. Each has a transaction of its own, which ends when it was told.
    """
    given = {"targets": list(targets), "blocks": blocks, "special": [FEED, EVENT]}
    heads = catalogue.read(lambda session: execute(session, HEADS, **given).all())
    ended = []
    for head in heads:
        if not head.due:
            continue
        with catalogue.connection() as session:
            lock = execute(
                session,
                "SELECT pg_try_advisory_xact_lock(hashtextextended(:of, 9))",
                of=f"{head.watch_pk} {head.target}",
            )
            if not lock.scalar_one():
                continue
            row = execute(session, TAKE, hit=head.hit_pk, target=head.target).mappings().one_or_none()
            if row is not None:
                ended.append(_try(session, tell, dict(row), head.hit_pk, head.target))
    return ended


def _try(session: Transaction, tell: Tell, row: dict[str, Any], hit_pk: int, target: str) -> Outcome:
    attempts = row.pop("attempts")
    hit = Hit(**row)
    try:
        tell(hit, target)
    except Exception as error:  # whatever it was, it is tried again
        told = f"{type(error).__name__}: {error}"[:500]
    else:
        execute(
            session,
            "UPDATE watch_delivery SET delivered_at = now(), error = NULL WHERE hit_pk = :hit AND target = :target",
            hit=hit_pk,
            target=target,
        )
        return Outcome(hit, target)
    over = datetime.now(UTC) - hit.found_at > GIVE_UP
    wait = min(FIRST_WAIT * 2 ** min(attempts, 12), LONGEST_WAIT)
    statement = """UPDATE watch_delivery SET attempts = attempts + 1, error = :error,
        next_try_at = now() + make_interval(secs => :wait), given_up_at = CASE WHEN :over THEN now() END
        WHERE hit_pk = :hit AND target = :target"""
    values = {"error": clean_text(told), "wait": wait.total_seconds(), "over": over, "hit": hit_pk, "target": target}
    execute(session, statement, **values)
    return Outcome(hit, target, told, over)


def query_of(session: Transaction, name: str) -> str | None:
    """None where there is no such watch."""
    found: str | None = execute(session, "SELECT query FROM watch WHERE name = :name", name=clean_text(name)).scalar()
    return found


def entries(session: Transaction, name: str, limit: int = 50) -> list[Hit]:
    """What a watch found last, the newest first: its feed."""
    query = f"""SELECT {FIELDS} FROM watch_hit JOIN watch ON watch.id = watch_pk JOIN video ON video.id = video_pk
        WHERE name = :name ORDER BY watch_hit.id DESC LIMIT :limit"""  # noqa: S608
    return [Hit(**row) for row in execute(session, query, name=name, limit=limit).mappings()]


def forget_video(session: Transaction, video_pk: int) -> list[str]:
    """Delete what watches found in a video; returns their names, whose feeds still say it."""
    query = """DELETE FROM watch_hit USING watch WHERE watch.id = watch_pk AND video_pk = :video RETURNING name"""
    return sorted(set(execute(session, query, video=video_pk).scalars()))
