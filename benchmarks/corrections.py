"""What a thousand corrections cost on a channel of 500 videos.

    make bench NAME=corrections

A channel of VIDEOS videos with SEGMENTS segments of WORDS words each is made in the database itself, in a PostgreSQL of
its own; PLACES of them say "confu i". A finds all places, corrects them as `channelscribe correct --everywhere` does,
and undoes it; B replaces the text in the same segments in one statement, without records, words, times or names.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.report import print_report
from channelscribe.catalogue import corrections, schema
from channelscribe.catalogue.connection import Database, execute
from channelscribe.local_stack.postgres import temporary_server

VIDEOS, SEGMENTS, WORDS, PLACES = 500, 200, 12, 1000
EVERY = SEGMENTS * VIDEOS // PLACES

LIBRARY = f"""
INSERT INTO source (site, source_id, url, title) VALUES ('youtube', 'UC1', 'https://example.org/1', 'One');
INSERT INTO video (site, video_id, url, title, state)
    SELECT 'youtube', 'v' || n, 'https://example.org/v' || n, 'Video ' || n, 'published' 
    FROM generate_series(1, {VIDEOS}) AS n;
INSERT INTO source_video (source_pk, video_pk) SELECT 1, id FROM video;
INSERT INTO transcript (video_pk, transcript_id, version, language, duration)
    SELECT id, 't' || id, 1, 'en', 3600 FROM video;
INSERT INTO segment (transcript_pk, index, language, start, "end", text, speaker, word_texts, word_starts, word_ends,
        word_scores, word_aligned)
    SELECT transcript.id, n, 'en', n * 6, n * 6 + 6, array_to_string(words, ' '), 'S0', words, starts, ends,
        array_fill(0.5, ARRAY[{WORDS}]), array_fill(true, ARRAY[{WORDS}])
    FROM transcript CROSS JOIN generate_series(0, {SEGMENTS - 1}) AS n CROSS JOIN LATERAL (
        SELECT array_agg(CASE WHEN n % {EVERY} = 7 AND w = 3 THEN 'confu'
                WHEN n % {EVERY} = 7 AND w = 4 THEN 'i'
                ELSE 'w' || (transcript.id * 7919 + n * 31 + w * w) % 5000 END ORDER BY w) AS words,
            array_agg(n * 6 + w * 0.5 ORDER BY w) AS starts, array_agg(n * 6 + w * 0.5 + 0.4 ORDER BY w) AS ends
        FROM generate_series(0, {WORDS - 1}) AS w) AS made;
UPDATE video SET current_transcript_pk = transcript.id FROM transcript WHERE video_pk = video.id;
"""  # noqa: S608 - numbers of this file
REWRITE = """UPDATE segment SET text = replace(text, 'confu i', 'ComfyUI')
    WHERE search @@ plainto_tsquery('simple', 'confu i')"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="channelscribe-bench-") as folder:
        Path(folder).chmod(0o755)
        with temporary_server(Path(folder) / "postgres") as server:
            figures = measured(Database(server.url))
    assert figures.pop("places") == PLACES
    print_report(
        "corrections",
        [f"{PLACES} places in {VIDEOS} videos", "seconds"],
        [[name.partition(".")[2], f"{figure:.2f}"] for name, figure in figures.items()],
        figures,
        {"corrections.seconds": "<= 10"},
    )


def measured(catalogue: Database) -> dict[str, float]:
    schema.migrate(catalogue)
    with catalogue.session() as session:
        for statement in LIBRARY.split(";\n"):
            if statement.strip():
                execute(session, statement)
    with catalogue.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        execute(connection, "VACUUM ANALYZE")
    started = time.perf_counter()
    places = catalogue.run(corrections.everywhere, "confu i", "ComfyUI", channel="One")
    found = time.perf_counter()
    made = catalogue.run(corrections.record, places, "bench")
    applied = time.perf_counter()
    catalogue.run(corrections.undo, [made[0].number], "bench", together=True)
    undone = time.perf_counter()
    with catalogue.session() as session:
        execute(session, REWRITE)
    rewritten = time.perf_counter()
    catalogue.close()
    return {
        "places": len(made),
        "corrections.found_seconds": found - started,
        "corrections.seconds": applied - found,
        "corrections.undo_seconds": undone - applied,
        "corrections.over_rewriting": (applied - found) / (rewritten - undone),
    }


if __name__ == "__main__":
    main()
