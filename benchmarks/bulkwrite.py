"""Publishing a transcript of ten hours: against a bare COPY of the same rows, and against the ORM row by row.

    make bench NAME=bulkwrite

The transcript has 90,000 words (sentences of the sample's grammar, a segment each, four speakers) and a reading with
sentences, entities and tokens. A is `publishing.publish`: lease, version, rows of four tables, the *current* pointer,
one transaction. B is the least that PostgreSQL can be asked to do for the same: COPY of the same rows into the same
tables with the same indexes in one transaction, their text rendered before the clock starts. A and B are measured in
turn, ROUNDS times; the ratio is the median of the rounds' ratios. Then once the same rows as SQLModel objects, each
added to the session and flushed by itself, in one transaction.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from sqlmodel import Session

from benchmarks.reading import spoken
from benchmarks.report import print_report
from channelscribe.catalogue import leases, publishing, schema, videos
from channelscribe.catalogue import publishing as rows
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.tables import EntityRow, SegmentRow, SentenceRow, SpeakerRow
from channelscribe.local_stack.postgres import temporary_server
from channelscribe.transcript import Transcript, Turn

WORDS, ROUNDS = 90_000, 25
OWNER = "benchmark"
TABLES = {"segment": SegmentRow, "speaker": SpeakerRow, "sentence": SentenceRow, "entity": EntityRow}
# One video a publication, and a transcript for each bare COPY.
MAKE_VIDEOS = """
INSERT INTO video (site, video_id, url, state) SELECT 'generic', 'v' || n, 'https://example.org/' || n, 'transcribed'
FROM generate_series(1, :count) AS n
"""
MAKE_TRANSCRIPT = """
INSERT INTO transcript (video_pk, transcript_id, version, language, duration)
SELECT id, :name, (SELECT count(*) + 1 FROM transcript WHERE video_pk = video.id), 'en', 36000
FROM video ORDER BY id DESC LIMIT 1 RETURNING id
"""


def long_talk() -> tuple[Transcript, dict[str, Any]]:
    """A transcript of WORDS words in the turns of four speakers, and its reading."""
    transcript = spoken(WORDS, "ten hours")
    sentences, entities, place = [], list[dict[str, Any]](), 0
    for number, segment in enumerate(transcript.segments):
        segment.speaker = f"SPEAKER_0{number // 5 % 4}"
        for word in segment.words:
            word.speaker = segment.speaker
        span = {"start": segment.start, "end": segment.end, "speaker": segment.speaker}
        sentences.append({"text": segment.text, "start_char": place, "end_char": place + len(segment.text), **span})
        if number % 3 == 0:
            name = segment.words[-1].text
            entities.append(
                {"text": name, "key": name.lower(), "label": "GPE", "start_char": place, "end_char": place + 5, **span}
            )
        place += len(segment.text) + 1
    transcript.turns = [Turn(s.start, s.end, str(s.speaker)) for s in transcript.segments[::5]]
    words = [word.text for word in transcript.words]
    tokens = {"text": words, "lemma": words, "start": [word.start for word in transcript.words]}
    return transcript, {"language": "en", "sentences": sentences, "entities": entities, "tokens": tokens}


def publish(catalogue: Database, number: int, transcript: Transcript, reading: dict[str, Any]) -> float:
    (video,) = catalogue.run(videos.find_videos, f"v{number}")
    catalogue.run(leases.claim, [video.id], OWNER, 600, only_due=False)
    started = time.perf_counter()
    key = f"processed/generic/v{number}/0123456789ab.json"
    catalogue.run(
        publishing.publish, video.id, OWNER, f"t{number}", transcript, reading, {"txt": "a key"}, reading_key=key
    )
    return time.perf_counter() - started


def rendered(connection: psycopg.Connection[Any], pk: int) -> dict[str, bytes]:
    """The rows of the transcript that was published first, as COPY's text, for another transcript."""
    made = {}
    for table, columns in rows.COLUMNS.items():
        names = ", ".join(f'"{name}"' for name in columns[1:])
        query = f"COPY (SELECT {pk}, {names} FROM {table} WHERE transcript_pk = 1 ORDER BY 2) TO STDOUT"  # noqa: S608
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            made[table] = b"".join(copy)
    connection.commit()
    return made


def bare_copy(connection: psycopg.Connection[Any], texts: dict[str, bytes]) -> float:
    started = time.perf_counter()
    with connection.transaction(), connection.cursor() as cursor:
        for table, columns in rows.COLUMNS.items():
            names = ", ".join(f'"{name}"' for name in columns)
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                copy.write(texts[table])
    return time.perf_counter() - started


def row_by_row(database: Database, pk: int, transcript: Transcript, reading: dict[str, Any]) -> tuple[float, int]:
    """Seconds, and how many rows."""
    records = {
        "segment": rows.segment_rows(pk, transcript),
        "speaker": rows.speaker_rows(pk, transcript),
        "sentence": rows.sentence_rows(pk, reading),
        "entity": rows.entity_rows(pk, reading, transcript),
    }
    started, count = time.perf_counter(), 0
    with Session(database.engine) as session, session.begin():
        for table, kind in TABLES.items():
            for record in records[table]:
                session.add(kind(**dict(zip(rows.COLUMNS[table], record, strict=True))))
                session.flush()
                count += 1
    return time.perf_counter() - started, count


def new_transcript(database: Database, name: str) -> int:
    with database.connection() as connection:
        pk: int = execute(connection, MAKE_TRANSCRIPT, name=name).scalar_one()
    return pk


def main(rounds: int) -> None:
    temporary = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
    with temporary as folder, temporary_server(Path(folder) / "postgres") as server:
        catalogue, database = Database(server.url), Database(server.url)
        schema.migrate(catalogue)
        with database.connection() as connection:
            execute(connection, MAKE_VIDEOS, count=rounds + 2)
        with psycopg.connect(server.url) as driver:
            measure(catalogue, database, driver, rounds)


def measure(catalogue: Database, database: Database, driver: psycopg.Connection[Any], rounds: int) -> None:
    transcript, reading = long_talk()
    publish(catalogue, 1, transcript, reading)  # what is copied; and both sides are warm
    ours, bare = [], []
    for number in range(rounds):
        texts = rendered(driver, new_transcript(database, f"copy {number}"))
        ours.append(publish(catalogue, number + 2, transcript, reading))
        bare.append(bare_copy(driver, texts))
    orm, count = row_by_row(database, new_transcript(database, "orm"), transcript, reading)
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    table = [
        ["publish: everything, with the clock's rows made from the transcript", f"{statistics.median(ours):.2f} s"],
        ["COPY of the rendered rows, nothing else", f"{statistics.median(bare):.2f} s"],
        ["the ORM, row by row", f"{orm:.1f} s"],
        [f"rows: {len(transcript.words):,} words in", f"{count:,}"],
    ]
    figures = {"bulkwrite.over_raw_copy": ratio, "bulkwrite.under_orm": orm / statistics.median(ours)}
    goal = {"bulkwrite.over_raw_copy": "<= 1.3", "bulkwrite.under_orm": ">= 10"}
    print_report("bulkwrite", ["what", "median"], table, figures, goal)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
