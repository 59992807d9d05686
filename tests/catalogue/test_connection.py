"""Addresses and failures of the connection; no password in any message."""

from __future__ import annotations

import time
import traceback
from contextlib import suppress
from datetime import date

import psycopg
import pytest

from channelscribe.catalogue import entities, listings, schema, search, stats, transcripts, videos
from channelscribe.catalogue.connection import Database, Reader, execute, parse_url
from channelscribe.catalogue.search_query import Question
from channelscribe.errors import CatalogueError, CatalogueUnreachable, InvalidSetting, SchemaMismatch
from channelscribe.local_stack.postgres import EmbeddedServer
from tests.catalogue.records import Listed, Video, published, spoken
from tests.databases import NewDatabase

PASSWORD = "canary-3f2a"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
def test_every_postgresql_url_uses_psycopg(scheme: str) -> None:
    assert parse_url(f"{scheme}://user@host/name").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("url", ["", "host/name", "mysql://u@h/n", f"sqlite:///{PASSWORD}"])
def test_other_urls_are_refused(url: str) -> None:
    for takes in (parse_url, Reader):
        with pytest.raises(InvalidSetting) as caught:
            takes(url)
        assert PASSWORD not in str(caught.value)


def test_no_server_is_unreachable_and_the_password_stays_secret() -> None:
    for catalogue in (way(f"postgresql://user:{PASSWORD}@127.0.0.1:1/name") for way in (Database, Reader)):
        with pytest.raises(CatalogueUnreachable) as caught:
            catalogue.read(stats.status)
        assert "127.0.0.1" in caught.value.message
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))
        assert PASSWORD not in repr(catalogue) + str(catalogue)


def test_a_missing_database_is_said_in_one_line(server: EmbeddedServer) -> None:
    with pytest.raises(CatalogueUnreachable, match='database "nothing" does not exist'):
        Database(server.url.replace("/postgres?", "/nothing?")).run(stats.status)


def test_wrong_credentials_are_told_with_the_remedy(server: EmbeddedServer) -> None:
    rules = server.folder / "pg_hba.conf"
    trusting = rules.read_bytes()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
        rules.write_bytes(b"local all guarded scram-sha-256\n" + trusting)
        try:
            connection.execute("SELECT pg_reload_conf()")
            for user in ("guarded:wrong-9b1c", "guarded", "nobody"):
                with pytest.raises(CatalogueUnreachable) as caught:
                    _until_refused(server.url.replace("channelscribe@", f"{user}@"))
                assert "user" in caught.value.remedy
                assert "wrong-9b1c" not in "".join(traceback.format_exception(caught.value))
        finally:
            rules.write_bytes(trusting)
            connection.execute("SELECT pg_reload_conf()")


def _until_refused(url: str) -> None:
    """The server takes its new rules in a moment after the signal."""
    for _ in range(50):
        with suppress(SchemaMismatch):
            Database(url).run(stats.status)
        time.sleep(0.1)


def test_a_database_without_tables_is_a_matter_of_schema(empty_database: NewDatabase) -> None:
    url = empty_database()
    with Reader(url) as reader:
        for catalogue in (reader, Database(url)):
            with pytest.raises(SchemaMismatch):
                catalogue.read(stats.status)
        assert schema.revision_of(reader) is None


TYPES = """
SELECT :text AS text, :none AS none, :day AS day, :many AS count, 'b' = ANY(:names) AS names, :big AS big, :yes AS yes,
    'a%b: c' LIKE '%: c' AS literal, CAST('12' AS int)::text AS cast, length(:text) AS length, 'x' AS index
"""


def test_who_only_reads_is_told_the_same_without_sqlalchemy(one_database: str, catalogue: Database) -> None:
    published(catalogue, spoken("The lighthouse keeper", "was running home"), Video("v1", "First"))
    published(catalogue, spoken("Lighthouses everywhere"), Video("a/b", "Second", site="generic"))
    given = {"text": "ü%s :b", "none": None, "day": date(2026, 1, 2), "many": [1, 2], "names": ["a", "b"]}
    asked = [
        lambda session: dict(execute(session, TYPES, **given, big=2**40, yes=True).mappings().one()),
        lambda session: execute(session, TYPES, **given, big=1, yes=False).one().names,
        lambda session: [
            execute(session, "SELECT title FROM video ORDER BY id").scalars().all(),
            execute(session, "SELECT 1 WHERE false").scalar_one_or_none(),
            execute(session, "SELECT 1 WHERE false").one_or_none(),
            execute(session, "SELECT 2").scalar(),
        ],
        stats.status,
        entities.entity_counts,
        listings.sources,
        lambda session: search.search(session, Question('light* OR "running home"')),
        lambda session: search.search(session, Question("keeper", channel="Channel One", since=date(2020, 1, 1))),
        lambda session: [transcripts.transcript_of(session, name)[2] for name in ("v1", "generic:a/b")],
        lambda session: transcripts.described(*transcripts.versions(session, 1), True),
    ]
    with Reader(one_database) as reader:
        for each in asked:
            assert reader.read(each) == catalogue.read(each)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://us%40er:p%20w@[::1]:5433/na%2Fme?sslmode=require",
        "postgres+psycopg://host",
        "postgresql:///name?host=%2Ftmp%2Fa&user=u",
    ],
)
def test_both_ways_read_an_address_alike(url: str) -> None:
    database, reader = Database(url), Reader(url)
    theirs = database.engine.dialect.create_connect_args(database.url)[1]
    assert reader.options == {name: value for name, value in theirs.items() if name != "context"}
    assert str(reader) == str(database)


def test_what_is_wrong_with_the_data_is_no_reason_to_retry(catalogue: Database) -> None:
    with pytest.raises(CatalogueError) as caught:
        catalogue.run(execute, "SELECT 1 / 0")
    assert caught.value.reason == "catalogue_error"


def test_a_restarted_server_costs_no_error(server: EmbeddedServer, catalogue: Database) -> None:
    catalogue.run(stats.status)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
    assert catalogue.run(stats.status).videos == 0


def test_what_postgresql_cannot_hold_is_taken_out(catalogue: Database) -> None:
    titles = ["a\x00b", "lone \ud800 surrogate", "'; DROP TABLE video; --", "\u202e rtl", "😀" * 400]
    catalogue.run(listings.record_listing, Listed([Video(f"v{n}", title) for n, title in enumerate(titles)]))
    stored = [row.title for row in catalogue.run(videos.list_videos, 1)]
    assert stored == ["ab", "lone ? surrogate", *titles[2:]]
