"""Breakers: open for the site and the address, half-open for one, closed by a success."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from channelscribe.catalogue import breakers, stats
from channelscribe.catalogue.connection import Database
from channelscribe.errors import SourceBlocked, SuspectedBlock

HOUR = timedelta(hours=1)
BOT = SourceBlocked("Sign in to confirm you're not a bot.", remedy="Wait.", reason="bot_check")


@pytest.fixture(autouse=True)
def closed(catalogue: Database) -> None:
    catalogue.run(breakers.close)


def expire(url: str, column: str = "open_until") -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"UPDATE breaker SET {column} = now() - interval '1 second'")  # noqa: S608


def test_nothing_is_asked_while_it_is_open(catalogue: Database) -> None:
    assert catalogue.run(breakers.admit, "youtube", "home") is None
    catalogue.run(breakers.note_block, "youtube", "home", BOT)
    block = catalogue.run(breakers.admit, "youtube", "home")
    assert block is not None
    assert HOUR * 0.99 <= block.until - datetime.now(UTC) <= HOUR * 1.2
    error = block.error()
    assert (error.reason, error.remedy, error.not_before) == ("bot_check", "Wait.", block.until)
    assert catalogue.run(breakers.admit, "youtube", "office") is None
    assert catalogue.run(breakers.admit, "vimeo", "home") is None
    assert [each.scope for each in catalogue.run(stats.status).blocks] == ["youtube"]


def test_one_tries_when_the_time_is_over(catalogue: Database, one_database: str) -> None:
    catalogue.run(breakers.note_block, "youtube", "home", BOT)
    expire(one_database)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: catalogue.run(breakers.admit, "youtube", "home"), range(4)))
    assert answers.count(None) == 1
    expire(one_database, "probe_until")  # whoever tried never told
    assert catalogue.run(breakers.admit, "youtube", "home") is None
    catalogue.run(breakers.note_success, "youtube", "home")
    assert [catalogue.run(breakers.admit, "youtube", "home") for _ in range(3)] == [None] * 3


def test_each_block_without_a_success_is_twice_as_long(catalogue: Database, one_database: str) -> None:
    lengths = []
    for _ in range(7):
        block = catalogue.run(breakers.note_block, "youtube", "home", BOT)
        lengths.append((block.until - datetime.now(UTC)) / HOUR)
        assert (
            catalogue.run(breakers.note_block, "youtube", "home", BOT).strikes == block.strikes
        )  # two reports of one ban
        expire(one_database)
    assert all(2**n * 0.99 <= length <= 2**n * 1.2 for n, length in enumerate(lengths[:5]))
    assert lengths[-1] <= 24 * 1.2


def test_a_longer_time_that_the_site_tells_counts(catalogue: Database) -> None:
    told = datetime.now(UTC) + timedelta(hours=30)
    assert catalogue.run(breakers.note_block, "youtube", "home", SourceBlocked("429", not_before=told)).until == told
    soon = datetime.now(UTC) + timedelta(seconds=5)
    assert catalogue.run(breakers.note_block, "youtube", "home", SourceBlocked("429", not_before=soon)).until == told


def test_a_shorter_time_that_the_site_tells_counts_too(catalogue: Database, one_database: str) -> None:
    """Retry-After: 4 is four seconds, not an hour."""
    soon = datetime.now(UTC) + timedelta(seconds=4)
    assert catalogue.run(breakers.note_block, "youtube", "home", SourceBlocked("429", not_before=soon)).until == soon
    expire(one_database)
    soon += timedelta(seconds=1)
    assert catalogue.run(breakers.note_block, "youtube", "home", SourceBlocked("429", not_before=soon)).until == soon
    expire(one_database)
    past = SourceBlocked("429", not_before=datetime.now(UTC) - HOUR)
    assert catalogue.run(breakers.note_block, "youtube", "home", past).until > datetime.now(UTC) + HOUR


def test_suspicions_in_a_row_open_it_and_a_success_between_forgets_them(catalogue: Database) -> None:
    gone = SuspectedBlock("Video unavailable. This content isn't available.")
    assert [catalogue.run(breakers.note_suspicion, "youtube", "home", gone) for _ in range(2)] == [None, None]
    catalogue.run(breakers.note_success, "youtube", "home")
    assert [catalogue.run(breakers.note_suspicion, "youtube", "home", gone) for _ in range(2)] == [None, None]
    assert catalogue.run(breakers.admit, "youtube", "home") is None
    block = catalogue.run(breakers.note_suspicion, "youtube", "home", gone)
    assert block is not None
    assert catalogue.run(breakers.admit, "youtube", "home") is not None


def test_a_success_from_before_the_ban_does_not_close_it(catalogue: Database) -> None:
    catalogue.run(breakers.note_block, "youtube", "home", BOT)
    catalogue.run(breakers.note_success, "youtube", "home")
    assert catalogue.run(breakers.admit, "youtube", "home") is not None
    assert catalogue.run(breakers.close, "youtube") == 1
    assert catalogue.run(breakers.admit, "youtube", "home") is None
