"""Search by meaning: where passages and their vectors are kept, which are due, and which are near a query.

Each model has an index of its own: a row of `meaning_index`, and a table `passage_<number>` of half-precision vectors
with an HNSW graph over it (pgvector 0.8). One index is current: that is what is searched, and what new transcripts are
put into, while another model's is filled beside it; then they change places in one transaction, and the old table goes
at once. A server without the extension `vector` has none of it, and nothing else misses it.

Passages are those of current transcripts. `meaning_transcript` says of each with which reading and which corrections
it was put in: where these are others now, or nothing is told, a transcript is due. A passage keeps its times and its
segments and no text, so it shows what people have corrected since.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from channelscribe.catalogue.connection import driver_connection, execute
from channelscribe.catalogue.search import AGE, HIGHLIGHT, Hit, Place, search, url_at
from channelscribe.catalogue.search_query import Conditions, Question, conditions, parse
from channelscribe.catalogue.voices import shown_names
from channelscribe.errors import ChannelscribeError, UsageError

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Transaction
    from channelscribe.settings.options import MeaningOptions

__all__ = [
    "DEEPEST",
    "HOW_TO_PUT_IN",
    "Due",
    "Embedded",
    "Embeds",
    "Index",
    "current_index",
    "drop_index",
    "due",
    "find",
    "how_to_have_vectors",
    "index_of",
    "is_exact",
    "like",
    "make_current",
    "may_have_vectors",
    "open_index",
    "others",
    "put",
    "put_again",
    "search_by",
]

HOW_TO_PUT_IN = "`channelscribe embed` does it; `channelscribe doctor` tells what is missing."
INDEX_LOCK = 0x6D65616E  # any number that nobody else locks
DEEPEST = 200
"""Passages that are ranked by meaning, what comes after them is no answer; and hits of words that are fused with
them.
"""
EXACTLY = 20_000
"""Of so many passages that a filter leaves each is compared; of more those that the graph finds."""
MORE = 3
"""Looked at beyond a page, as neighbours with the same answer are one hit."""
SPREAD = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""


@dataclass(frozen=True, slots=True)
class Index:
    """The passages of one model. `sha256` is that of all that decides its vectors."""

    id: int
    name: str
    revision: str
    sha256: str
    dimensions: int
    current: bool

    @property
    def table(self) -> str:
        return f"passage_{self.id:d}"


@dataclass(frozen=True, slots=True)
class Embedded:
    """A transcript's passages: (start, end, first segment, last segment) and a vector of unit length each, as numbers.

    `identity` is the model's. What nothing is known of (all zeros) is left out.
    """

    identity: Mapping[str, Any]
    passages: Sequence[Sequence[float]]
    vectors: Sequence[Sequence[float]]

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> Embedded:
        """What `channelscribe.text.embedding.embedded` made."""
        content = base64.b64decode(made["vectors"])
        floats = struct.unpack(f"<{len(content) // 2}e", content)
        size = made["model"]["dimensions"]
        rows = [floats[begin : begin + size] for begin in range(0, len(floats), size)]
        return cls(made["model"], made["passages"], rows)


class Embeds(Protocol):
    """What a query is given to: `channelscribe.text.embedding.Embedder`."""

    def queries(self, texts: Sequence[str]) -> Any: ...

    def passages(self, texts: Sequence[str]) -> Any: ...


HAS_INDEXES = "SELECT to_regclass('meaning_index') IS NOT NULL"
INDEXES = """
SELECT id, name, revision, sha256, dimensions, current FROM meaning_index
WHERE {where} AND to_regclass('passage_' || id) IS NOT NULL ORDER BY id
"""
MODEL = "(name, revision, sha256, dimensions) = (:name, :revision, :sha256, :dimensions)"
TABLE = """
CREATE TABLE {table} (
    transcript_pk bigint NOT NULL REFERENCES transcript ON DELETE CASCADE,
    index integer NOT NULL,
    start double precision NOT NULL,
    "end" double precision NOT NULL,
    first integer NOT NULL,
    last integer NOT NULL,
    embedding halfvec({dimensions}) NOT NULL,
    PRIMARY KEY (transcript_pk, index)
);
CREATE INDEX ix_{table}_embedding ON {table} USING hnsw (embedding halfvec_ip_ops);
"""
OPEN = """
INSERT INTO meaning_index (name, revision, sha256, dimensions, current)
VALUES (:name, :revision, :sha256, :dimensions, :first) ON CONFLICT (name, revision, sha256, dimensions)
DO UPDATE SET current = meaning_index.current OR :first RETURNING id
"""
VECTORS = (
    "SELECT count(*) FILTER (WHERE installed_version IS NOT NULL) AS installed, count(*) AS available "
    "FROM pg_available_extensions WHERE name = 'vector'"
)


def current_index(session: Transaction) -> Index | None:
    """The index that is searched; None where there is none, in a database of an older release too."""
    if not execute(session, HAS_INDEXES).scalar_one():
        return None
    row = execute(session, INDEXES.format(where="current")).one_or_none()
    return Index(*row) if row else None


def index_of(session: Transaction, identity: Mapping[str, Any]) -> Index | None:
    """The index of a model, if there is one."""
    row = execute(session, INDEXES.format(where=MODEL), **_model(identity)).one_or_none()
    return Index(*row) if row else None


def _model(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: identity[name] for name in ("name", "revision", "sha256", "dimensions")}


def how_to_have_vectors(session: Transaction) -> str | None:
    """What is to be done so that the database has vectors; None where it has them."""
    found = execute(session, VECTORS).one()
    if found.installed:
        return None
    if found.available:
        return "As a superuser, in this database: CREATE EXTENSION vector;"
    return "Install pgvector 0.8 or newer on the server (such as postgresql-18-pgvector), then CREATE EXTENSION vector;"


def may_have_vectors(session: Transaction) -> bool:
    """Whether the next index makes the extension by itself: it is on the server, and this user is a superuser."""
    found = execute(session, VECTORS).one()
    return bool(found.available) and execute(session, "SHOW is_superuser").scalar_one() == "on"


def open_index(session: Session, identity: Mapping[str, Any]) -> Index | None:
    """The index of a model, made if need be; the first one is current. None where the database has no vectors."""
    if found := index_of(session, identity):
        return found
    execute(session, "SELECT pg_advisory_xact_lock(:lock)", lock=INDEX_LOCK)
    if not _has_vectors(session):
        return None
    first = current_index(session) is None
    if first:
        execute(session, "UPDATE meaning_index SET current = false WHERE current")
    number = int(execute(session, OPEN, first=first, **_model(identity)).scalar_one())
    made = Index(number, **_model(identity), current=first)
    if execute(session, "SELECT to_regclass(:table) IS NULL", table=made.table).scalar_one():
        # A backup has the rows and not the vectors.
        execute(session, "DELETE FROM meaning_transcript WHERE index_pk = :index", index=number)
        execute(session, TABLE.format(table=made.table, dimensions=made.dimensions))
    return made


def _has_vectors(session: Session) -> bool:
    if how_to_have_vectors(session) is None:
        return True
    from sqlalchemy.exc import DBAPIError  # readers need none of it

    try:
        with session.begin_nested():
            execute(session, "CREATE EXTENSION IF NOT EXISTS vector")
    except DBAPIError:  # it is not there, or this user may not
        return False
    return True


def put(
    session: Session,
    video_pk: int,
    transcript_pk: int,
    embedded: Embedded,
    reading_id: str | None,
    corrected: str | None = None,
) -> None:
    """Passages of a video's current transcript take the place of all that its index has of the video.

    Nothing happens where the model has no index.
    """
    index = index_of(session, embedded.identity)
    if index is None:
        return
    of_video = "(SELECT id FROM transcript WHERE video_pk = :video)"
    execute(session, f"DELETE FROM {index.table} WHERE transcript_pk IN {of_video}", video=video_pk)  # noqa: S608 - ours
    execute(
        session,
        f"DELETE FROM meaning_transcript WHERE index_pk = :index AND transcript_pk IN {of_video}",  # noqa: S608 - ours
        index=index.id,
        video=video_pk,
    )
    rows = [
        (transcript_pk, number, *passage, orjson.dumps(list(vector)).decode())
        for number, (passage, vector) in enumerate(zip(embedded.passages, embedded.vectors, strict=True))
        if any(vector)
    ]
    statement = f'COPY {index.table} (transcript_pk, index, start, "end", first, last, embedding) FROM STDIN'
    with driver_connection(session).cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
    execute(
        session,
        "INSERT INTO meaning_transcript (index_pk, transcript_pk, reading_id, corrected, passages) "
        "VALUES (:index, :transcript, :reading, :corrected, :passages)",
        index=index.id,
        transcript=transcript_pk,
        reading=reading_id,
        corrected=corrected,
        passages=len(rows),
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A current transcript that an index does not have as it is now. `seconds` of audio."""

    video_pk: int
    transcript_pk: int
    seconds: float
    reading_id: str | None
    corrected: str | None


DUE = """
SELECT video.id, transcript.id, transcript.duration, transcript.reading_id, transcript.corrected
FROM video JOIN transcript ON transcript.id = current_transcript_pk
LEFT JOIN meaning_transcript AS had ON index_pk = :index AND had.transcript_pk = transcript.id
WHERE (had.transcript_pk IS NULL OR had.reading_id IS DISTINCT FROM transcript.reading_id
    OR had.corrected IS DISTINCT FROM transcript.corrected) AND (:videos IS NULL OR video.id = ANY(:videos))
ORDER BY video.published DESC NULLS LAST, video.id
"""


def due(session: Transaction, index: Index | None, videos: Sequence[int] | None = None) -> list[Due]:
    """What is to be put into an index, the newest first; for none, all current transcripts. `videos`: only of these."""
    statement = DUE.replace(":videos", "CAST(:videos AS bigint[])")
    rows = execute(session, statement, index=index.id if index else None, videos=list(videos) if videos else None)
    return [Due(*row) for row in rows]


def put_again(session: Session, each: Due, embedded: Embedded) -> bool:
    """As `put`, if the transcript is still what it was when it was found due; False where it is not."""
    query = """SELECT transcript.reading_id, transcript.corrected FROM video
        JOIN transcript ON transcript.id = current_transcript_pk
        WHERE video.id = :video AND transcript.id = :transcript FOR UPDATE OF video"""
    now = execute(session, query, video=each.video_pk, transcript=each.transcript_pk).one_or_none()
    if now is None or tuple(now) != (each.reading_id, each.corrected):
        return False
    put(session, each.video_pk, each.transcript_pk, embedded, each.reading_id, each.corrected)
    return True


def make_current(session: Session, index: Index) -> list[Due]:
    """Search this index from now on, if nothing is due in it; else what is due, and all stays as it is."""
    # Who publishes locks a video's row: none comes between the look and the change.
    execute(session, "LOCK TABLE video IN SHARE MODE")
    left = due(session, index)
    if not left:
        execute(session, "UPDATE meaning_index SET current = false WHERE current AND id <> :id", id=index.id)
        execute(session, "UPDATE meaning_index SET current = true WHERE id = :id", id=index.id)
    return left


def drop_index(session: Session, index: Index) -> None:
    """Take an index that is not current away."""
    execute(session, "DELETE FROM meaning_index WHERE id = :id AND NOT current", id=index.id)
    if execute(session, "SELECT NOT EXISTS (SELECT FROM meaning_index WHERE id = :id)", id=index.id).scalar_one():
        execute(session, f"DROP TABLE IF EXISTS {index.table}")


def others(session: Transaction) -> list[Index]:
    """The indexes beside the current one."""
    return [Index(*row) for row in execute(session, INDEXES.format(where="NOT current"))]


# Near passages. `found` has the number, place and likeness of each.
BY_GRAPH = """
WITH found AS MATERIALIZED (
    SELECT transcript_pk, index, -(embedding <#> CAST(:vector AS halfvec({dimensions}))) AS alike FROM {table}
    ORDER BY embedding <#> CAST(:vector AS halfvec({dimensions})) LIMIT :limit)
"""
FILTERED = """
EXISTS (SELECT FROM video WHERE current_transcript_pk = passage.transcript_pk AND {videos})
AND EXISTS (SELECT FROM segment WHERE segment.transcript_pk = passage.transcript_pk
    AND segment.index BETWEEN passage.first AND passage.last AND {segments})
"""
BY_GRAPH_FILTERED = """
WITH found AS MATERIALIZED (
    SELECT transcript_pk, index, -(embedding <#> CAST(:vector AS halfvec({dimensions}))) AS alike
    FROM {table} AS passage WHERE {filtered}
    ORDER BY embedding <#> CAST(:vector AS halfvec({dimensions})) LIMIT :limit)
"""
EACH = """
WITH found AS MATERIALIZED (
    SELECT passage.transcript_pk, passage.index, -(embedding <#> CAST(:vector AS halfvec({dimensions}))) AS alike
    FROM video JOIN {table} AS passage ON passage.transcript_pk = current_transcript_pk
    WHERE {videos} AND EXISTS (SELECT FROM segment WHERE segment.transcript_pk = passage.transcript_pk
        AND segment.index BETWEEN passage.first AND passage.last AND {segments})
    ORDER BY 3 DESC LIMIT :limit)
"""
COUNTED = """
SELECT count(*) FROM (SELECT FROM video JOIN {table} AS passage ON passage.transcript_pk = current_transcript_pk
    WHERE {videos} AND EXISTS (SELECT FROM segment WHERE segment.transcript_pk = passage.transcript_pk
        AND segment.index BETWEEN passage.first AND passage.last AND {segments}) LIMIT :most) AS counted
"""
PASSAGES = f"""
SELECT video.id, video_id, site, title, url, published, transcript.language, transcript_pk, passage.index,
    passage.start, passage."end", first, last, alike, {AGE} AS age
FROM found JOIN {{table}} AS passage USING (transcript_pk, index)
JOIN video ON current_transcript_pk = transcript_pk JOIN transcript ON transcript.id = transcript_pk
ORDER BY alike DESC, age, video.id, passage.index
"""  # noqa: S608 - constants of ours


def _nearest(
    session: Transaction, index: Index, vector: Sequence[float], asking: Conditions | None, limit: int
) -> list[Any]:
    """Rows of the passages nearest to a vector, the nearest first."""
    names = {"table": index.table, "dimensions": index.dimensions}
    given: dict[str, Any] = {"vector": orjson.dumps(list(vector)).decode(), "limit": limit}
    # The graph is looked through as widely as is asked for, and further where a filter leaves too few.
    execute(session, f"SET LOCAL hnsw.ef_search = {min(1000, max(100, limit)):d}")
    if asking is None:
        found = BY_GRAPH.format(**names)
    else:
        where = {"videos": asking.videos, "segments": asking.segments}
        counted = execute(session, COUNTED.format(**names, **where), most=EXACTLY + 1, **asking.values).scalar_one()
        if counted <= EXACTLY:
            found = EACH.format(**names, **where)
        else:
            execute(session, "SET LOCAL hnsw.iterative_scan = relaxed_order")
            execute(session, "SET LOCAL hnsw.max_scan_tuples = 1000000")
            found = BY_GRAPH_FILTERED.format(**names, filtered=FILTERED.format(**where))
        given |= asking.values
    return list(execute(session, found + PASSAGES.format(table=index.table), **given))


EXACT_MARKS = re.compile(r'["“”„«»*|]|(?:^|\s)-\w|\bOR\b|\bNOT\b|\bAND\b')


def is_exact(query: str) -> bool:
    """Whether a query has marks that only words can obey: a phrase, a beginning*, -without, OR."""
    return bool(EXACT_MARKS.search(query)) or len(parse(query)) > 1


def plain_query(query: str) -> str:
    """A query without its marks, as a sentence."""
    return " ".join(re.sub(r'["“”„«»*|()]|(?:^|\s)-(?=\w)|\b(?:OR|NOT|AND)\b', " ", query).split())


def find(
    session: Transaction, question: Question, options: MeaningOptions, limit: int = 20, after: str | None = None
) -> tuple[list[Hit], str | None]:
    """The best hits first, by `question.by`, and why they are by words only where "any" was asked.

    Raises UsageError for a place of another question, and where meaning was asked for and there is no index of it;
    ModelUnavailable where the index's model is not at hand.
    """
    index = None if question.by == "words" else current_index(session)
    if index is None:
        if question.by in ("meaning", "both"):
            raise UsageError("Nothing is put in yet for search by meaning.", remedy=HOW_TO_PUT_IN)
        return search(session, replace(question, by="words"), limit, after), None
    from channelscribe.text.embedding import load_embedder

    try:
        embedder = load_embedder(options, index.name)
    except ChannelscribeError as error:
        if question.by != "any":
            raise
        return search(session, replace(question, by="words"), limit, after), str(error)
    question = replace(question, by="both" if question.by == "any" else question.by)
    least = embedder.model.entry.least
    return search_by(session, question, embedder, index, least=least, limit=limit, after=after), None


def search_by(
    session: Transaction,
    question: Question,
    embedder: Embeds,
    index: Index,
    *,
    least: float = 0.0,
    limit: int = 20,
    after: str | None = None,
) -> list[Hit]:
    """The best hits first by `question.by`: "meaning", or "both", where hits of words and passages that mean the same
    are fused by their ranks. Passages less alike than `least` are none.

    A query with marks that only words obey is searched by words alone where both are asked. Raises UsageError for a
    place that is none, or of another question.
    """
    both, alone = question.by == "both", replace(question, by="words")
    if both and after is not None and _is_of(after, alone):
        return search(session, alone, limit, after)
    place = None if after is None else Place.from_text(after, question.fingerprint)
    text = plain_query(question.query)
    words = search(session, alone, limit=DEEPEST) if both else []
    near: list[Any] = []
    if text and not (both and is_exact(question.query)):
        vector = embedder.queries([text])[0].tolist()
        if any(vector):
            asking = conditions(session, replace(question, query=""), [])
            near = [row for row in _nearest(session, index, vector, asking, DEEPEST) if row.alike >= least]
    ranked = _fused(words, near, question)
    if place is not None:
        at = (-(place.rank or 0.0), place.age, place.video, place.index)
        ranked = [each for each in ranked if each.order > at]
    page = ranked[: limit + MORE]
    answers = _answers(session, embedder, text, [each.row for each in page if each.hit is None])
    hits: list[Hit] = []
    told = set[tuple[int, float]]()
    for each in page:
        if len(hits) == limit:
            break
        if each.hit is not None:
            hits.append(each.hit)
            continue
        hit = _shown(each, answers[each.row.transcript_pk, each.row.index], question)
        # Neighbours share a sentence: what is the answer in both is told once.
        if (each.row.id, hit.start) not in told:
            told.add((each.row.id, hit.start))
            hits.append(hit)
    if len(hits) < limit and len(page) == len(ranked) and len(words) == DEEPEST:
        # Fused are the best; whoever wants all places of a word gets them.
        hits += search(session, alone, limit - len(hits), words[-1].place)
    return hits


def _is_of(place: str, question: Question) -> bool:
    try:
        Place.from_text(place, question.fingerprint)
    except UsageError:
        return False
    return True


@dataclass(slots=True)
class _Ranked:
    score: float
    age: int
    video: int
    index: int
    hit: Hit | None = None
    row: Any = None

    @property
    def order(self) -> tuple[float, int, int, int]:
        return -self.score, self.age, self.video, self.index


def _fused(words: Sequence[Hit], near: Sequence[Any], question: Question) -> list[_Ranked]:
    """Reciprocal rank fusion. A passage and the best hit of words in it are one hit, which shows the words."""
    made: list[_Ranked] = []
    for rank, hit in enumerate(words, 1):
        place = Place.from_text(hit.place, replace(question, by="words").fingerprint)
        made.append(_Ranked(1 / (SPREAD + rank), place.age, place.video, place.index, hit))
    by_video: dict[int, list[_Ranked]] = {}
    for each in made:
        by_video.setdefault(each.video, []).append(each)
    joined = set[int]()
    for rank, row in enumerate(near, 1):
        score = 1 / (SPREAD + rank)
        within = (each for each in by_video.get(row.id, ()) if row.first <= each.index <= row.last)
        same = next(within, None)
        if same is None:
            made.append(_Ranked(score, row.age, row.id, row.first, row=row))
        elif id(same) not in joined:
            joined.add(id(same))
            same.score += score
            same.hit = replace(same.hit, by="both") if same.hit else None
    made.sort(key=lambda each: each.order)
    fingerprint = question.fingerprint
    for each in made:
        if each.hit is not None:
            place = Place(each.score, each.age, each.video, each.index)
            each.hit = replace(each.hit, rank=each.score, place=place.to_text(fingerprint))
    return made


SENTENCES = """
SELECT transcript_pk, passage, said.text, said.start, said."end", said.speaker
FROM unnest(CAST(:transcripts AS bigint[]), CAST(:passages AS integer[]), CAST(:starts AS float8[]),
    CAST(:ends AS float8[])) AS asked (transcript, passage, since, until)
JOIN sentence AS said ON said.transcript_pk = transcript
WHERE said.start >= since - 0.001 AND said.start < until AND said."end" <= until + 0.001 ORDER BY passage, said.index
"""
SEGMENTS = """
SELECT transcript_pk, passage, said.text, said.start, said."end", said.speaker
FROM unnest(CAST(:transcripts AS bigint[]), CAST(:passages AS integer[]), CAST(:firsts AS integer[]),
    CAST(:lasts AS integer[])) AS asked (transcript, passage, first, last)
JOIN segment AS said ON said.transcript_pk = transcript AND said.index BETWEEN first AND last
ORDER BY passage, said.index
"""
Said = tuple[str, float, float, str | None]
"""Text, start, end and speaker of a sentence."""


def _sentences(session: Transaction, rows: Sequence[Any]) -> dict[tuple[int, int], list[Said]]:
    """The sentences of passages as they are shown now, by transcript and passage; segments where there are none."""
    names = shown_names(session, sorted({row.transcript_pk for row in rows}))

    def said(each: Any) -> Said:
        named = names.get(each.transcript_pk, {}).get(each.speaker, each.speaker)
        return each.text.strip(), each.start, each.end, named

    found: dict[tuple[int, int], list[Said]] = {(row.transcript_pk, row.index): [] for row in rows}
    given = {"transcripts": [row.transcript_pk for row in rows], "passages": [row.index for row in rows]}
    spans = {"starts": [row.start for row in rows], "ends": [row.end for row in rows]}
    for each in execute(session, SENTENCES, **given, **spans) if rows else ():
        found[each.transcript_pk, each.passage].append(said(each))
    bare = [row for row in rows if not found[row.transcript_pk, row.index]]
    given = {"transcripts": [row.transcript_pk for row in bare], "passages": [row.index for row in bare]}
    spans = {"firsts": [row.first for row in bare], "lasts": [row.last for row in bare]}
    for each in execute(session, SEGMENTS, **given, **spans) if bare else ():
        if each.text.strip():
            found[each.transcript_pk, each.passage].append(said(each))
    return found


def _answers(
    session: Transaction, embedder: Embeds, query: str, rows: Sequence[Any]
) -> dict[tuple[int, int], tuple[list[Said], int]]:
    """The sentences of each passage, and which of them is most like the query."""
    said = _sentences(session, rows)
    texts = sorted({each[0] for sentences in said.values() for each in sentences})
    if not texts:
        return {key: (sentences, 0) for key, sentences in said.items()}
    likeness = embedder.passages(texts) @ embedder.queries([query])[0]
    alike = dict(zip(texts, likeness.tolist(), strict=True))
    return {
        key: (sentences, max(range(len(sentences)), key=lambda n: alike[sentences[n][0]], default=0))
        for key, sentences in said.items()
    }


def _shown(each: _Ranked, answer: tuple[list[Said], int], question: Question) -> Hit:
    row, (sentences, best) = each.row, answer
    texts = [text for text, *_ in sentences]
    _, start, end, speaker = sentences[best] if sentences else ("", row.start, row.end, None)
    marked = [f"{HIGHLIGHT}{text}{HIGHLIGHT}" if n == best else text for n, text in enumerate(texts)]
    return Hit(
        video=row.video_id,
        site=row.site,
        title=row.title,
        published=row.published,
        language=row.language,
        start=start,
        end=end,
        speaker=speaker,
        text=" ".join(texts),
        highlighted=" ".join(marked),
        url=url_at(row.site, row.url, start),
        rank=each.score,
        place=Place(each.score, each.age, each.video, each.index).to_text(question.fingerprint),
        by="meaning",
        answer=texts[best] if texts else None,
    )


AT = """
SELECT passage.*, CAST(embedding AS text) AS vector FROM {table} AS passage
JOIN video ON current_transcript_pk = transcript_pk
WHERE video.id = :video ORDER BY greatest(start - :seconds, :seconds - "end", 0), abs((start + "end") / 2 - :seconds)
LIMIT 1
"""


def like(
    session: Transaction, index: Index, video_pk: int, seconds: float, limit: int = 10, *, elsewhere: bool = False
) -> tuple[Hit | None, list[Hit]]:
    """The passage of a video at a second, and those most like it, none of its neighbours; with `elsewhere` none of the
    same video. (None, []) where the index has nothing of the video.
    """
    here = execute(session, AT.format(table=index.table), video=video_pk, seconds=seconds).one_or_none()
    if here is None:
        return None, []
    question = Question("", by="meaning")
    count = f"SELECT count(*) FROM {index.table} WHERE transcript_pk = :pk"  # noqa: S608 - a name of ours
    more = execute(session, count, pk=here.transcript_pk).scalar_one() if elsewhere else 1
    rows = _nearest(session, index, orjson.loads(here.vector), None, min(1000, limit + 3 + more))
    said = _sentences(session, rows)

    def shown(row: Any) -> Hit:
        sentences = said[row.transcript_pk, row.index]
        text = " ".join(text for text, *_ in sentences)
        made = _shown(_Ranked(row.alike, row.age, row.id, row.first, row=row), (sentences, 0), question)
        return replace(made, end=row.end, text=text, highlighted=text, answer=None)

    itself = next((row for row in rows if (row.transcript_pk, row.index) == (here.transcript_pk, here.index)), None)
    near = [
        row
        for row in rows
        if row.transcript_pk != here.transcript_pk or (not elsewhere and abs(row.index - here.index) > 1)
    ]
    return shown(itself) if itself else None, [shown(row) for row in near[:limit]]
