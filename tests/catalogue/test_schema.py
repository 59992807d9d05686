"""Migrations: repeated, at once, on a full database, compared with the tables; refused when the database is newer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint
from sqlmodel import SQLModel

from channelscribe.catalogue import entities, schema, search, stats, transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.schema import VERSION_TABLE
from channelscribe.catalogue.search_query import Question
from channelscribe.errors import CatalogueError, SchemaMismatch, stops_run
from channelscribe.transcript import Segment, Turn, Word
from tests.databases import NewDatabase


def test_migrating_twice_changes_nothing(empty_database: NewDatabase) -> None:
    url = empty_database()
    catalogue = Database(url)
    with pytest.raises(SchemaMismatch, match="has schema none"):
        catalogue.read(schema.check_schema)
    schema.migrate(catalogue)
    schema.migrate(catalogue)
    catalogue.read(schema.check_schema)
    assert catalogue.run(stats.status).videos == 0


def test_the_names_of_files_are_the_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", "channelscribe.catalogue:migrations")
    config.set_main_option("path_separator", "os")
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert schema.known_revisions() == {None, *revisions}
    assert revisions[0] == max(revisions)


def test_migrating_at_once(empty_database: NewDatabase) -> None:
    url = empty_database()
    several = [Database(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schema.migrate, several))
    several[0].read(schema.check_schema)


def test_migrations_make_the_tables(empty_database: NewDatabase) -> None:
    url = empty_database()
    schema.migrate(Database(url))
    with Database(url).connection() as connection:
        options = {"version_table": VERSION_TABLE, "compare_server_default": True}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata)
    assert differences == []


def test_a_newer_schema_is_refused(empty_database: NewDatabase) -> None:
    url = empty_database()
    catalogue = Database(url)
    schema.migrate(catalogue)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE channelscribe_schema SET version_num = '9999'")
    for check in (schema.migrate, schema.note_if_older, lambda database: database.read(schema.check_schema)):
        with pytest.raises(SchemaMismatch, match="newer"):
            check(catalogue)


def test_who_works_for_long_learns_that_the_schema_is_another(
    empty_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of an older program beside a newer schema, and the other way round."""
    url = empty_database()
    schema.migrate(Database(url), "0004")
    worker = schema.open_checked(url)
    with pytest.raises(SchemaMismatch, match="has schema 0004, this program needs") as caught:
        worker.run(stats.status)
    assert stops_run(caught.value) and caught.value.remedy
    schema.migrate(worker)
    assert worker.run(stats.status).videos == 0
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE channelscribe_schema SET version_num = '9999'")
    assert worker.run(stats.status).videos == 0  # it was looked at less than a minute ago
    monkeypatch.setattr("channelscribe.catalogue.connection.time.monotonic", lambda: worker._next_look)
    with pytest.raises(SchemaMismatch, match="made by a newer channelscribe") as caught:
        worker.run(videos.record_failure, 1, "a run", ValueError("of a video"))
    assert stops_run(caught.value)
    worker.close()


def test_the_checks_of_the_migrations_are_those_of_the_tables(one_database: str) -> None:
    declared = {
        (table.name, each.name)
        for table in SQLModel.metadata.tables.values()
        for each in table.constraints
        if isinstance(each, CheckConstraint)
    }
    query = """SELECT relname, conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace"""
    with psycopg.connect(one_database) as connection:
        assert set(connection.execute(query).fetchall()) == declared


# Rows of every table as the first revision knows it. One segment ends before it starts: nothing refused that then.
FULL = """
INSERT INTO source (site, source_id, url, title, kind)
    VALUES ('youtube', 'UC1', 'https://www.youtube.com/@one', 'Channel One', 'channel');
INSERT INTO video (site, video_id, url, title, published, state, lease_owner, lease_until)
    VALUES ('youtube', 'v1', 'https://www.youtube.com/watch?v=v1', 'A title', '2024-05-01', 'published', 'me', now()),
        ('youtube', 'v2', 'https://www.youtube.com/watch?v=v2', 'Not yet', NULL, 'retrying', NULL, NULL);
INSERT INTO source_video (source_pk, video_pk, position) SELECT 1, id, id FROM video;
INSERT INTO audio (video_pk, source_sha256, options_key, seconds, bytes, archive_key, speech_key, speech_sha256)
    VALUES (1, 'a', 'b', 12, 34, 'k.mp3', 'k.flac', 'c');
INSERT INTO transcript (video_pk, transcript_id, version, language, duration, models)
    VALUES (1, 't1', 1, 'en', 12.5, '{"recognizer": {"name": "tiny"}}'), (1, 't2', 2, 'en', 12.5, '{}');
UPDATE video SET current_transcript_pk = 1 WHERE id = 1;
INSERT INTO segment (transcript_pk, index, language, start, "end", text, speaker, avg_logprob, word_texts, word_starts,
        word_ends, word_scores, word_aligned, word_speakers)
    VALUES (1, 0, 'en', 0, 2, 'The lighthouses', 'S0', -0.5, '{The,lighthouses}', '{0,1}', '{1,2}', '{0.5,NULL}',
        '{t,f}', NULL), (1, 1, 'en', 5, 4, '', NULL, NULL, '{}', '{}', '{}', '{}', '{}', NULL);
INSERT INTO speaker VALUES (1, 'S0', 2, '{0}', '{2}');
INSERT INTO sentence VALUES (1, 0, 'The lighthouses', 0, 15, 0, 2, 'S0');
INSERT INTO entity VALUES (1, 0, 'Lighthouses', 'lighthouses', 'ORG', 0, 4, 15, 1, 2, 'S0');
"""
SECOND = """
UPDATE source SET last_full_listing_at = now();
UPDATE video SET availability = 'public', rejected = 1;
UPDATE transcript SET quality = '{"coverage": 1}', reading_id = 'r';
UPDATE segment SET flags = '{unsure}' WHERE index = 0;
INSERT INTO breaker (scope, egress, strikes) VALUES ('youtube', 'here', 2);
"""


def everything(url: str, tables: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the tables, but for what is computed from them."""
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        queries = {table: f"SELECT * FROM {table} ORDER BY 1, 2" for table in tables}  # noqa: S608
        found = {table: connection.execute(query).fetchall() for table, query in queries.items()}
    return {
        table: [{name: value for name, value in row.items() if name != "search"} for row in rows]
        for table, rows in found.items()
    }


@pytest.mark.parametrize(("revision", "rows"), [("0001", FULL), ("0002", FULL + SECOND)])
def test_a_full_database_is_migrated_and_loses_nothing(empty_database: NewDatabase, revision: str, rows: str) -> None:
    url = empty_database()
    schema.migrate(Database(url), revision)
    with psycopg.connect(url) as connection:
        connection.execute(rows)
        tables = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    tables.remove(VERSION_TABLE)
    before = everything(url, tables)
    assert all(before.values()), "a table without rows proves nothing"
    catalogue = Database(url)
    with pytest.raises(SchemaMismatch, match=f"has schema {revision}.*sync` migrates it"):
        catalogue.read(schema.check_schema)
    schema.migrate(catalogue)
    after = everything(url, tables)
    for table, old in before.items():
        assert [{name: row[name] for name in old[0]} for row in after[table]] == old, table
    assert [hit.video for hit in catalogue.run(search.search, Question("lighthouse"))] == ["v1"]
    assert [name.text for name in catalogue.run(entities.entity_counts)] == ["Lighthouses"]
    _, row, transcript = catalogue.run(transcripts.transcript_of, "v1")
    assert (row.version, transcript.turns) == (1, [Turn(0, 2, "S0")])
    words = [Word("The", 0, 1, 0.5, "S0"), Word("lighthouses", 1, 2, None, "S0", aligned=False)]
    flags = ["unsure"] if revision == "0002" else []
    assert transcript.segments[0] == Segment(0, 2, "The lighthouses", "S0", -0.5, words, flags)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE video SET lease_until = NULL",
        "UPDATE video SET step_fraction = 2",
        "UPDATE video SET state = 'lost'",
        "UPDATE video SET current_transcript_pk = 2 WHERE id = 1",
        "UPDATE audio SET bytes = -1",
        "UPDATE transcript SET version = 0",
        "UPDATE segment SET word_ends = '{1}'",
        "UPDATE segment SET start = 3",
        "UPDATE speaker SET turn_ends = '{}'",
        "UPDATE entity SET start_char = 16",
    ],
)
def test_what_may_not_be_is_refused(full: str, statement: str) -> None:
    with pytest.raises(CatalogueError, match="violates"), Database(full).connection() as connection:
        connection.exec_driver_sql(statement)


@pytest.fixture(scope="module")
def full(new_database: NewDatabase) -> str:
    url = new_database()
    with psycopg.connect(url) as connection:
        connection.execute(FULL.replace("5, 4, ''", "4, 5, ''").replace("(1, 't2', 2,", "(2, 't2', 1,"))
    return url


def test_an_old_server_and_an_odd_encoding_are_told(
    empty_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = empty_database()
    monkeypatch.setattr(schema, "OLDEST_SERVER", (99,))
    with pytest.raises(SchemaMismatch, match="needs 99 or newer"):
        schema.migrate(Database(url))
    monkeypatch.undo()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
        name = connection.info.dbname
    with pytest.raises(SchemaMismatch, match="encoding LATIN1"):
        schema.migrate(Database(url.replace(f"/{name}?", "/latin?")))
