"""docs/library.md says what there is: every table, every column of an export, every language that is stemmed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pytest
from sqlmodel import SQLModel

from channelscribe.catalogue import tables  # noqa: F401  - fills the metadata
from channelscribe.catalogue.search import RANKED
from channelscribe.catalogue.search_query import LANGUAGES, LONGEST_QUERY, MOST_TERMS
from channelscribe.export import corpus

DOC = (Path(__file__).parent.parent / "docs" / "library.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", SQLModel.metadata.tables)
def test_each_table_is_told(table: str) -> None:
    heads = [line.split("|")[1] for line in DOC.splitlines() if line.startswith("| `")]
    assert any(f"`{table}`" in head for head in heads)


@pytest.mark.parametrize("column", list(corpus._schema(pyarrow)), ids=lambda column: column.name)
def test_each_column_of_an_export_is_told(column: Any) -> None:
    corpus = DOC.partition("## A corpus")[2].splitlines()
    rows = [line for line in corpus if line.startswith("|") and f"`{column.name}`" in line.split("|")[1]]
    assert len(rows) == 1
    wanted = {"date32[day]": "date", "list<element: string>": "list of string"}.get(str(column.type), str(column.type))
    assert wanted.split("<")[0] in rows[0].split("|")[2]


def test_languages_and_limits() -> None:
    assert [name for name in set(LANGUAGES.values()) if name.title() not in DOC] == []
    for number in (RANKED, LONGEST_QUERY, corpus.ROWS_A_GROUP):
        assert f"{number:,}" in DOC
    assert f"{MOST_TERMS} words" in DOC
