"""Other spellings of what is searched for, and the word that was perhaps meant."""

from __future__ import annotations

from datetime import date

import pytest

from channelscribe.catalogue import references, search, videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.words import did_you_mean
from tests.catalogue.records import Video, published, spoken
from tests.databases import NewDatabase


@pytest.fixture(scope="module")
def library(new_database: NewDatabase) -> Database:
    catalogue = Database(new_database())
    german = spoken("Nach München und zurück", "Große Straßen, Øresund und Łódź", language="de")
    published(catalogue, german, Video("de", published=date(2024, 1, 2)))
    published(catalogue, spoken("A trip to Munchen, they say", "Café au lait, naïve"), Video("en"))
    return catalogue


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("munchen", {"de", "en"}),
        ("MUNCHEN", {"de", "en"}),
        ("münchen", {"de"}),  # typed with it, meant with it
        ("strassen", {"de"}),
        ("oresund lodz", {"de"}),
        ('"nach munchen"', {"de"}),
        ("cafe -munchen", {"en"}),
        ("cafe", {"en"}),
        ("-cafe munchen", {"de", "en"}),
        ("nirgends", set()),
    ],
)
def test_accents_are_ignored_where_none_was_typed(library: Database, query: str, found: set[str]) -> None:
    assert {hit.video for hit in library.run(search.search, Question(query))} == found


def test_a_setting_takes_accents_as_they_are(library: Database) -> None:
    assert library.run(search.search, Question("oresund", ignore_accents=False)) == []


def test_the_spelling_that_was_found_is_marked(library: Database) -> None:
    hits = library.run(search.search, Question("strassen"))
    assert [hit.highlighted for hit in hits] == ["Große **Straßen**, Øresund und Łódź"]


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("Munchn", "munchen"),
        ("cafee lait", "café lait"),
        ("trip", None),
        ("xqzw", None),
        ("-munchn trip", None),
        ("", None),
    ],
)
def test_the_word_that_was_perhaps_meant(library: Database, query: str, meant: str | None) -> None:
    found = library.run(did_you_mean, query)
    assert found == meant if query != "Munchn" else found in ("munchen", "münchen")


def test_without_the_extension_nothing_is_suggested(new_database: NewDatabase) -> None:
    catalogue = Database(new_database())
    published(catalogue, spoken("lighthouse"), Video("v"))
    with catalogue.session() as session:
        execute(session, "DROP EXTENSION pg_trgm")
    assert catalogue.run(did_you_mean, "lighthuose") is None


def test_a_takedown_takes_the_words_that_only_it_had(new_database: NewDatabase) -> None:
    catalogue = Database(new_database())
    published(catalogue, spoken("the lighthouse keeper"), Video("one"))
    published(catalogue, spoken("the harbour keeper"), Video("two"))
    (row,) = catalogue.run(videos.find_videos, "one")
    catalogue.run(references.mark_taken_down, row.id)
    with catalogue.session() as session:
        left = set(execute(session, "SELECT word FROM word").scalars())
    assert left == {"the", "harbour", "keeper"}
