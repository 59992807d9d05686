"""Addresses and failures of the connection; no password in any message."""

from __future__ import annotations

import time
import traceback
from contextlib import suppress

import psycopg
import pytest

from channelscribe.catalogue import listings, search, stats, videos
from channelscribe.catalogue.connection import Database, parse_url
from channelscribe.catalogue.search_query import Question
from channelscribe.errors import CatalogueError, CatalogueUnreachable, InvalidSetting, SchemaMismatch
from channelscribe.local_stack.postgres import EmbeddedServer
from tests.catalogue.conftest import NewDatabase
from tests.catalogue.records import Listed, Video

PASSWORD = "canary-3f2a"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
def test_every_postgresql_url_uses_psycopg(scheme: str) -> None:
    assert parse_url(f"{scheme}://user@host/name").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("url", ["", "host/name", "mysql://u@h/n", f"sqlite:///{PASSWORD}"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse_url(url)
    assert PASSWORD not in str(caught.value)


def test_no_server_is_unreachable_and_the_password_stays_secret() -> None:
    catalogue = Database(f"postgresql://user:{PASSWORD}@127.0.0.1:1/name")
    with pytest.raises(CatalogueUnreachable) as caught:
        catalogue.run(stats.status)
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
    with pytest.raises(SchemaMismatch):
        Database(empty_database()).run(stats.status)


def test_what_is_wrong_with_the_data_is_no_reason_to_retry(catalogue: Database) -> None:
    with pytest.raises(CatalogueError) as caught:
        catalogue.run(search.search, Question("", channel="y"), limit=-1)
    assert caught.value.reason == "catalogue_error"


def test_a_restarted_server_costs_no_error(server: EmbeddedServer, catalogue: Database) -> None:
    catalogue.run(stats.status)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
    assert catalogue.run(stats.status).videos == 0


def test_what_postgresql_cannot_hold_is_taken_out(catalogue: Database) -> None:
    titles = ["a\x00b", "lone \ud800 surrogate", "'; DROP TABLE video; --", "\u202e rtl", "😀" * 400]
    catalogue.run(listings.record_listing, Listed([Video(f"v{n}", title) for n, title in enumerate(titles)]))
    stored = [row.title for row in catalogue.run(videos.list_videos, 1)]
    assert stored == ["ab", "lone ? surrogate", *titles[2:]]
