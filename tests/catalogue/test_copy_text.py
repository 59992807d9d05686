"""COPY's text: PostgreSQL reads from it what was put in."""

from __future__ import annotations

from typing import Any

import numpy
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channelscribe.catalogue.connection import clean_text
from channelscribe.catalogue.publishing import copy_blocks

texts = st.text(st.characters(codec=None), max_size=8) | st.text('\\"{},\t\n\r\x08\x0b\x0c\x00\x1f NULL', max_size=8)
numbers = st.floats(allow_nan=False) | st.integers(-(2**40), 2**40).map(float)
row = st.tuples(
    st.integers(-(2**31), 2**31 - 1),
    st.none() | texts,
    st.none() | numbers,
    st.booleans(),
    st.none() | st.lists(st.none() | texts, max_size=4),
    st.lists(st.none() | numbers, max_size=4),
    st.lists(st.booleans(), max_size=4),
)


@pytest.fixture(scope="module")
def connection(one_database: str) -> Any:
    with psycopg.connect(one_database) as opened:
        columns = "a bigint, b text, c float8, d bool, e text[], f float8[], g bool[]"
        opened.execute(f"CREATE TEMP TABLE copied (place serial, {columns})")
        yield opened
        opened.rollback()


@settings(max_examples=150, deadline=None)
@given(st.lists(row, max_size=3))
@example([(1, "\\N", None, True, ["NULL", None, "", "null"], [None, 1.0], [])])
@example([(1, "\\.", float("inf"), False, ["a\x1fb", "c"], [1e-300], [True])])
def test_what_was_put_in_comes_out(connection: Any, rows: list[tuple[Any, ...]]) -> None:
    connection.execute("DELETE FROM copied")
    with connection.cursor() as cursor, cursor.copy("COPY copied (a, b, c, d, e, f, g) FROM STDIN") as copy:
        for block in copy_blocks(rows):
            copy.write(block)
    found = connection.execute("SELECT a, b, c, d, e, f, g FROM copied ORDER BY place").fetchall()
    assert list(map(list, found)) == [[_held(value) for value in row] for row in rows]


def _held(value: Any) -> Any:
    if isinstance(value, list):
        return [_held(each) for each in value]
    return clean_text(value) if isinstance(value, str) else value


def test_numbers_of_numpy_are_numbers() -> None:
    row = [numpy.float64(0.5), [numpy.float64(1.5), 2.0], numpy.int64(3)]
    assert b"".join(copy_blocks([row])) == b"0.5\t{1.5,2.0}\t3\n"


def test_long_rows_come_in_blocks() -> None:
    blocks = list(copy_blocks([(n, "x" * 5_000) for n in range(5)]))
    assert [block.count(b"\n") for block in blocks] == [2, 2, 1]
