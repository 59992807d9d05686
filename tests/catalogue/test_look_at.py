"""What is at the database's address: looked at, nothing is changed."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import make_url

from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.schema import check_writable, look_at, migrate
from channelscribe.catalogue.stats import due_length
from channelscribe.errors import CatalogueNotWritable, CatalogueUnreachable, SchemaMismatch, stops_run
from tests.databases import NewDatabase


def url_for(url: str, user: str) -> str:
    return make_url(url).set(username=user).render_as_string(hide_password=False)


def test_empty_old_and_as_it_should_be(empty_database: NewDatabase) -> None:
    database = Database(empty_database())
    assert "empty" in look_at(database)
    migrate(database, "0002")
    assert "schema 0002, which the next sync brings to" in look_at(database)
    migrate(database)
    assert "can be written" in look_at(database)
    with database.session() as session:
        assert due_length(session) == (0, 0.0, 0.0)
    with database.connection() as connection:
        connection.exec_driver_sql("UPDATE channelscribe_schema SET version_num = '9999'")
    with pytest.raises(SchemaMismatch):
        look_at(database)
    database.engine.dispose()


def test_read_only_without_rights_and_away(new_database: NewDatabase) -> None:
    url = new_database()
    name = make_url(url).database
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE reader_{name} LOGIN")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{name}")
        connection.execute(f"CREATE ROLE replica_{name} LOGIN SUPERUSER")
        connection.execute(f"ALTER ROLE replica_{name} SET default_transaction_read_only = on")
    for role, remedy in (("reader", "right"), ("replica", "read only")):
        database = Database(url_for(url, f"{role}_{name}"))
        with pytest.raises(CatalogueNotWritable) as caught:
            look_at(database)
        assert remedy in caught.value.remedy and stops_run(caught.value)
        with pytest.raises(CatalogueNotWritable), database.session() as session:
            check_writable(session)
        database.engine.dispose()
    nowhere = make_url(url).set(database="no_such").render_as_string(hide_password=False)
    with pytest.raises(CatalogueUnreachable):
        look_at(Database(nowhere))
