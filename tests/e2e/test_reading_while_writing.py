"""Commands that read answer while others write: rows that are locked, and work that is not committed yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from channelscribe.catalogue import leases, schema
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from tests.catalogue.records import Listed, Video, published, spoken
from tests.conftest import Cli

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

SOURCE = Listed(url="https://example.org/written", title="Being written", source_id="written", site="elsewhere")


@pytest.fixture
def being_written(stack: LocalStack) -> Iterator[psycopg.Connection]:
    """A video that a run has leased, whose row is locked by a transaction that also publishes something else."""
    url = stack.addresses.database_url or ""
    catalogue = Database(url)
    schema.migrate(catalogue)
    row = published(catalogue, spoken("The zeppelin landed"), Video("w1", "Held", site="elsewhere"), SOURCE)
    catalogue.run(leases.claim, [row.id], "a run", 600, only_due=False)
    catalogue.run(leases.renew, row.id, "a run", 600, "recognize", 0.5)
    with psycopg.connect(url) as writing:
        writing.execute("SELECT FROM video WHERE id = %s FOR UPDATE", [row.id])
        writing.execute("UPDATE segment SET text = 'The zeppelin is being rewritten'")
        writing.execute("INSERT INTO source (site, source_id, url) VALUES ('elsewhere', 'x', 'https://example.org/x')")
        yield writing
        writing.rollback()
        writing.execute("DELETE FROM video WHERE id = %s", [row.id])
        writing.execute("DELETE FROM source WHERE url = %s", [SOURCE.url])
    catalogue.close()


def test_they_answer_with_what_is_committed(being_written: psycopg.Connection, cli: Cli, tmp_path: Path) -> None:
    (hit,) = cli("search", "zeppelin", "--json").json["hits"]
    assert (hit["video"], hit["text"]) == ("w1", "The zeppelin landed")
    assert "The zeppelin landed" in cli("show", "elsewhere:w1").out
    status = cli("status", "--json").json
    assert [item["step"] for item in status["running"] if item["video_id"] == "w1"] == ["recognize"]
    assert "Being written" in [source["title"] for source in status["sources"]]
    assert cli("entities", "--channel", "Being written", "--json").json == {"entities": []}
    exported = cli("export", "Being written")
    assert [json.loads(line)["text"] for line in exported.out.splitlines()] == ["The zeppelin landed"]
