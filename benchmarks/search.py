"""Search in a library of a million segments: against a sequential scan, and against a look-up by primary key.

    make bench NAME=search

The library is made in the database itself: CHANNELS channels with VIDEOS videos of SEGMENTS segments each, one channel
in German, texts of about 18 words out of 40,000 that are distributed as Zipf's law says, each word with its times as in
a real library. The server is the embedded one with its own settings.

A is `search.search` as it is, B the same with the index on texts dropped for the length of a transaction; a round is
TIMES searches of A, which are short, and one of B, and all must find the same page of hits. Then the 95th percentile of
phrase searches with filters (channel, day, speaker), each of other words, over that of look-ups of one segment by its
primary key, in the same session and in turn. The plan of such a search is printed, and must have the GIN index in it.
"""

# ruff: noqa: S608 - statements of constants of this file

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, event
from sqlmodel import Session

from benchmarks.report import print_report
from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.search import search
from channelscribe.catalogue.search_query import Question
from channelscribe.local_stack.postgres import temporary_server

CHANNELS, VIDEOS, SEGMENTS = 5, 400, 500
VOCABULARY, FRAGMENTS = 40_000, 100_000
ROUNDS, TIMES, LOOKUPS, PAGE = 5, 20, 300, 20

SYLLABLES = re.findall("..", "bakelominurasetivodafegohijukawezocipuxa")
WORD = " || ".join(f"(CAST(:syllables AS text[]))[1 + n / {20**place} % 20]" for place in range(4))
"""Of number n: four syllables, so that no word has the stem of another; the n-th is the n-th most frequent."""

MAKE = (
    f"""CREATE TEMP TABLE fragment AS SELECT i, text FROM generate_series(0, {FRAGMENTS - 1}) AS i, LATERAL (
        SELECT string_agg({WORD}, ' ') AS text FROM (SELECT floor(power({VOCABULARY}, random()))::int + 0 * i AS n
        FROM generate_series(1, 4 + i % 2)) AS word) AS made""",
    f"""INSERT INTO source (site, source_id, url, title)
        SELECT 'youtube', 'UC' || c, 'https://www.youtube.com/@c' || c, 'Channel ' || c
        FROM generate_series(1, {CHANNELS}) AS c""",
    f"""INSERT INTO video (site, video_id, url, title, published, state)
        SELECT 'youtube', 'v' || v, 'https://www.youtube.com/watch?v=v' || v, 'Video ' || v,
            DATE '2015-01-01' + (v * 7919) % 4000, 'published'
        FROM generate_series(1, {CHANNELS * VIDEOS}) AS v""",
    f"""INSERT INTO source_video (source_pk, video_pk, position)
        SELECT 1 + (id - 1) / {VIDEOS}, id, (id - 1) % {VIDEOS} FROM video""",
    f"""INSERT INTO transcript (video_pk, transcript_id, version, language, duration)
        SELECT id, 't' || id, 1, CASE WHEN id > {(CHANNELS - 1) * VIDEOS} THEN 'de' ELSE 'en' END, {SEGMENTS * 6}
        FROM video ORDER BY id""",
    """UPDATE video SET current_transcript_pk = transcript.id FROM transcript WHERE video_pk = video.id""",
    """DROP INDEX ix_segment_search""",
    f"""INSERT INTO segment (transcript_pk, index, language, start, "end", text, speaker, word_texts, word_starts,
            word_ends, word_scores, word_aligned)
        SELECT id, index, language, 6 * index, 6 * index + 6, text, 'SPEAKER_0' || index / 10 % 4,
            words, times[1 : cardinality(words)], times[1 : cardinality(words)], times[1 : cardinality(words)],
            aligned[1 : cardinality(words)]
        FROM (SELECT p.id, s.index, p.language, concat_ws(' ', a.text, b.text, c.text, d.text) AS text,
            string_to_array(concat_ws(' ', a.text, b.text, c.text, d.text), ' ') AS words,
            CAST(:times AS float8[]) AS times, CAST(:aligned AS boolean[]) AS aligned
        FROM (SELECT id, language, index, floor(random() * {FRAGMENTS})::int AS a,
                floor(random() * {FRAGMENTS})::int AS b, floor(random() * {FRAGMENTS})::int AS c,
                floor(random() * {FRAGMENTS})::int AS d
            FROM transcript AS p, generate_series(0, {SEGMENTS - 1}) AS index) AS s
        JOIN transcript AS p ON p.id = s.id JOIN fragment AS a ON a.i = s.a JOIN fragment AS b ON b.i = s.b
        JOIN fragment AS c ON c.i = s.c JOIN fragment AS d ON d.i = s.d ORDER BY p.id, s.index) AS made""",
    """CREATE INDEX ix_segment_search ON segment USING gin (search)""",
    """ANALYZE""",
)
VALUES = {"syllables": SYLLABLES, "times": [n / 3 for n in range(20)], "aligned": [True] * 20}


def word(number: int) -> str:
    return "".join(SYLLABLES[number // 20**place % 20] for place in range(4))


def make_library(database: Database) -> float:
    """Seconds that it took."""
    started = time.monotonic()
    with database.connection() as connection:
        for setting in ("work_mem = '64MB'", "maintenance_work_mem = '256MB'"):
            execute(connection, f"SET LOCAL {setting}")
        execute(connection, "SELECT setseed(0.5)")
        for statement in MAKE:
            execute(connection, statement, **{name: each for name, each in VALUES.items() if f":{name}" in statement})
    return time.monotonic() - started


def neighbours(session: Session, rng: Random, least: int) -> str:
    """A phrase that is there: two words that stand together, both rarer than the `least` most frequent ones."""
    numbers = {word(number): number for number in range(VOCABULARY)}
    while True:
        pk, index = 1 + rng.randrange((CHANNELS - 1) * VIDEOS), rng.randrange(SEGMENTS)
        words = one_segment(session, pk, index)[0].text.split()
        for one, other in pairwise(words):
            if min(numbers[one], numbers[other]) >= least:
                return f'"{one} {other}"'


def one_segment(session: Session, pk: int, index: int) -> list[Any]:
    look_up = "SELECT * FROM segment WHERE transcript_pk = :pk AND index = :index"
    return list(execute(session, look_up, pk=pk, index=index).all())


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def without_pool(database: Database) -> Engine:
    return create_engine(database.url, poolclass=NullPool)


def with_and_without(database: Database, question: Question) -> tuple[float, float, int]:
    """Median seconds with the index and without it, and how many hits."""
    seconds: tuple[list[float], list[float]] = ([], [])
    found: list[list[tuple[str, float]]] = []
    # A connection for each side: the one that dropped an index forgets what it knew of all tables.
    with Session(database.engine) as ours, Session(without_pool(database)) as theirs:
        search(ours, question, PAGE)
        for _ in range(ROUNDS):
            for session, took, times in zip((ours, theirs), seconds, (TIMES, 1), strict=True):
                if session is theirs:
                    execute(session, "DROP INDEX ix_segment_search")
                    search(session, Question("nothing"), PAGE)
                for _ in range(times):
                    second, hits = timed(lambda at=session: search(at, question, PAGE))  # type: ignore[misc]
                    took.append(second)
                    found.append([(hit.video, hit.start) for hit in hits])
                session.rollback()
    if any(each != found[0] for each in found):
        raise SystemExit(f"{question}: not the same hits with the index and without it")
    return statistics.median(seconds[0]), statistics.median(seconds[1]), len(found[0])


def plan_of(database: Database, question: Question) -> str:
    """The plan of the statement that ranks."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "AS MATERIALIZED" in statement:
            seen.append((statement, parameters))

    with Session(database.engine) as session:
        event.listen(database.engine, "before_cursor_execute", note)
        search(session, question, PAGE)
        event.remove(database.engine, "before_cursor_execute", note)
        statement, parameters = seen[0]
        driver = session.connection().connection.driver_connection
        assert driver is not None
        rows = driver.execute("EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) " + statement, parameters).fetchall()
    return "\n".join(row[0] for row in rows)


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def phrases_and_keys(database: Database, count: int) -> tuple[float, float]:
    """95th percentiles: of phrase searches with filters, and of look-ups by primary key."""
    rng, phrases, keys = Random(7), list[float](), list[float]()
    with Session(database.engine) as session:
        asked = [filtered(neighbours(session, rng, 30), rng) for _ in range(count)]
        for question in asked:
            phrases.append(timed(lambda: search(session, question, PAGE))[0])  # noqa: B023 - called at once
            pk, index = 1 + rng.randrange(CHANNELS * VIDEOS), rng.randrange(SEGMENTS)
            keys.append(timed(lambda: one_segment(session, pk, index))[0])  # noqa: B023
    return p95(phrases), p95(keys)


def filtered(query: str, rng: Random) -> Question:
    channel = f"Channel {1 + rng.randrange(CHANNELS - 1)}"
    return Question(query, channel, f"SPEAKER_0{rng.randrange(4)}", since=date(2016 + rng.randrange(6), 1, 1))


def main(lookups: int) -> None:
    temporary = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
    with temporary as folder, temporary_server(Path(folder) / "postgres") as server:
        schema.migrate(Database(server.url))
        database = Database(server.url)
        made = make_library(database)
        measure(database, made, lookups)


def measure(database: Database, made: float, lookups: int) -> None:
    with Session(database.engine) as session:
        phrase = neighbours(session, Random(1), 30)
        rare_phrase = neighbours(session, Random(2), 2000)
        sizes = execute(
            session,
            "SELECT pg_size_pretty(pg_table_size('segment')) AS segments, "
            "pg_size_pretty(pg_relation_size('ix_segment_search')) AS search",
        ).one()
    questions = {
        "a word in a thousand segments": Question(word(1600)),
        "two words": Question(f"{word(300)} {word(700)}"),
        "a phrase": Question(phrase),
        "a phrase of rare words": Question(rare_phrase),
        "a phrase, with filters": Question(phrase, "Channel 2", "SPEAKER_01", since=date(2018, 1, 1)),
        "a beginning*": Question(f"{word(3000)[:7]}*"),
        "a word, without another": Question(f"{word(5000)} -{word(1)}"),
    }
    measured = {name: with_and_without(database, question) for name, question in questions.items()}
    common = with_and_without(database, Question(word(3), channel="Channel 3"))
    phrase_p95, key_p95 = phrases_and_keys(database, lookups)
    plan = plan_of(database, questions["a phrase, with filters"])
    print(plan)
    if "Bitmap Index Scan on ix_segment_search" not in plan:
        raise SystemExit("the plan has no GIN index in it")
    rows = [
        [name, f"{hits} hits", f"{1000 * ours:.1f} ms", f"{1000 * scan:.0f} ms", f"{scan / ours:.0f} x"]
        for name, (ours, scan, hits) in {**measured, "a word in a third of a channel": common}.items()
    ]
    rows += [
        ["a phrase with filters, 95th percentile", "", f"{1000 * phrase_p95:.1f} ms", "", ""],
        ["a segment by its primary key, 95th percentile", "", f"{1000 * key_p95:.2f} ms", "", ""],
        ["making the library", f"{CHANNELS * VIDEOS * SEGMENTS:,} segments", f"{made:.0f} s", "", ""],
        ["sizes: segments, their index", "", sizes.segments, sizes.search, ""],
    ]
    ratios = [scan / ours for ours, scan, _ in measured.values()]
    figures = {
        "search.over_sequential": statistics.median(ratios),
        "search.least_over_sequential": min(ratios),
        "search.phrase_p95_over_key_p95": phrase_p95 / key_p95,
    }
    heads = ["what", "", "with the index", "sequential", "ratio"]
    print_report("search", heads, rows, figures, {"search.over_sequential": ">= 50"})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LOOKUPS)
