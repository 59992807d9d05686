"""Search by meaning: what is near is found under every filter, what is due is told, and models change places whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import psycopg
import pytest

from channelscribe.catalogue import corrections, leases, meaning, publishing, search
from channelscribe.catalogue import videos as video_rows
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.search_query import Question
from channelscribe.errors import UsageError
from channelscribe.settings.options import MeaningOptions
from channelscribe.text.embedding import Embedder, embedded, load_embedder
from channelscribe.transcript import Transcript
from tests.catalogue.records import OWNER, Listed, Video, published, spoken
from tests.databases import NewDatabase

RAIL = ("Emma lost a suitcase at the station in Sydney.", "The train was late.")
SOUP = ("My grandmother always put onions in the soup.", "Boil the potatoes.")
SKY = ("Scientists observed a distant comet.", "The telescope was broken.")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(MeaningOptions(model="sample"))


def of(embedder: Embedder, transcript: Transcript, **identity: Any) -> meaning.Embedded:
    made = meaning.Embedded.from_dict(embedded(embedder, transcript, []))
    return replace(made, identity={**made.identity, **identity})


def add(catalogue: Database, embedder: Embedder, video_id: str, *texts: str, **facts: Any) -> int:
    """A published video with its passages."""
    source, speaker = facts.pop("source", None), facts.pop("speaker", "S0")
    transcript = spoken(*texts, speaker=speaker)
    row = published(catalogue, transcript, Video(video_id, **facts), source)
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)
    catalogue.run(
        publishing.publish, row.id, OWNER, f"{row.id:064x}", transcript, {}, {}, embedded=of(embedder, transcript)
    )
    return int(row.id)


@pytest.fixture(scope="module")
def library(new_database: NewDatabase, embedder: Embedder) -> Iterator[Database]:
    """Three videos, one of another source, speaker and day."""
    catalogue = Database(new_database())
    assert catalogue.run(meaning.open_index, embedder.model.identity) is not None
    add(catalogue, embedder, "rail", *RAIL, published=date(2024, 1, 1))
    add(catalogue, embedder, "soup", *SOUP)
    other = Listed(url="https://example.org/feed", title="Second Feed", source_id="feed-2", site="generic")
    facts = {"site": "generic", "url": "https://example.org/2.mp3", "published": date(2023, 1, 1)}
    add(catalogue, embedder, "sky", *SKY, **facts, source=other, speaker="S1")
    yield catalogue
    catalogue.close()


def found(catalogue: Database, embedder: Embedder, query: str, by: str = "meaning", **asked: Any) -> list[search.Hit]:
    options = {name: asked.pop(name) for name in ("limit", "after", "least") if name in asked}

    def ask(session: Any) -> list[search.Hit]:
        index = meaning.current_index(session)
        assert index is not None
        return meaning.search_by(session, Question(query, by=by, **asked), embedder, index, **options)

    return catalogue.read(ask)


def test_other_words_find_it_and_the_sentence_that_answers_is_marked(library: Database, embedder: Embedder) -> None:
    first, *rest = found(library, embedder, "overdue railroad luggage")
    assert (first.video, first.by) == ("rail", "meaning")
    assert first.answer in RAIL and f"**{first.answer}**" in first.highlighted
    assert first.highlighted.replace("**", "") == first.text == " ".join(RAIL)
    assert first.url == f"https://www.youtube.com/watch?v=rail&t={int(first.start)}s"
    assert [hit.rank for hit in (first, *rest)] == sorted((hit.rank for hit in (first, *rest)), reverse=True)
    assert found(library, embedder, "zebra") == found(library, embedder, "") == []
    assert found(library, embedder, "overdue railroad luggage", least=0.99) == []


@pytest.mark.parametrize("by", ["meaning", "both"])
@pytest.mark.parametrize(
    ("asked", "videos"),
    [
        ({}, {"rail", "soup", "sky"}),
        ({"speaker": "S1"}, {"sky"}),
        ({"speaker": "nobody"}, set()),
        ({"channel": "Second Feed"}, {"sky"}),
        ({"since": date(2024, 2, 1)}, {"soup"}),
        ({"until": date(2024, 1, 1)}, {"rail", "sky"}),
        ({"language": "de"}, set()),
        ({"entity": "Emma"}, set()),
    ],
)
@pytest.mark.parametrize("exactly", [meaning.EXACTLY, 0])
def test_filters_hold(
    library: Database,
    embedder: Embedder,
    by: str,
    asked: dict[str, Any],
    videos: set[str],
    exactly: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where each passage that is left is compared, and where the graph is looked through for them."""
    monkeypatch.setattr(meaning, "EXACTLY", exactly)
    assert {hit.video for hit in found(library, embedder, "train soup comet", by, **asked)} == videos


def test_both_put_first_what_is_found_by_both(library: Database, embedder: Embedder) -> None:
    hits = found(library, embedder, "late train", "both")
    assert (hits[0].video, hits[0].by) == ("rail", "both")
    assert hits[0].highlighted == "The **train** was **late**."
    assert {hit.by for hit in hits[1:]} <= {"meaning"}
    words = library.read(search.search, Question("late train"))
    assert [(hit.video, hit.start) for hit in words] == [(hits[0].video, hits[0].start)]


@pytest.mark.parametrize("query", ['"late train"', "train -soup", "train*", "train OR soup"])
def test_what_only_words_obey_is_left_to_words(library: Database, embedder: Embedder, query: str) -> None:
    hits = found(library, embedder, query, "both")
    words = library.read(search.search, Question(query))
    assert [(hit.video, hit.start) for hit in hits] == [(hit.video, hit.start) for hit in words]
    assert {hit.by for hit in hits} <= {"words"}
    assert found(library, embedder, query)  # by meaning it is taken for a sentence


def test_pages_go_on_after_a_place(library: Database, embedder: Embedder) -> None:
    whole = found(library, embedder, "train soup comet", "both")
    paged, after = [], None
    while page := found(library, embedder, "train soup comet", "both", limit=1, after=after):
        paged += page
        after = page[-1].place
    assert paged == whole and len(whole) == 3
    with pytest.raises(UsageError, match="another search"):
        found(library, embedder, "train soup comet", "meaning", after=after)


def test_passages_like_one(library: Database, embedder: Embedder) -> None:
    (rail,) = library.run(video_rows.find_videos, "rail")
    index = library.read(meaning.current_index)
    assert index is not None
    here, near = library.read(meaning.like, index, rail.id, 1.0)
    assert here is not None and (here.video, here.text, here.start) == ("rail", " ".join(RAIL), 0.0)
    assert {hit.video for hit in near} == {"soup", "sky"}
    assert library.read(meaning.like, index, 0, 1.0) == (None, [])


def test_a_rare_filter_finds_its_one_passage_among_many(new_database: NewDatabase, embedder: Embedder) -> None:
    """One of ten thousand, and as far from the query as any."""
    catalogue = Database(new_database())
    catalogue.run(meaning.open_index, embedder.model.identity)
    add(catalogue, embedder, "many", "The train was late.")
    add(catalogue, embedder, "rare", "My grandmother put onions in the soup.", speaker="Ada")
    with catalogue.session() as session:
        copies = """INSERT INTO passage_1 SELECT transcript_pk, n, start, "end", first, last, embedding
            FROM passage_1, generate_series(1, 9998) AS n WHERE transcript_pk = (SELECT min(id) FROM transcript)"""
        execute(session, "ALTER TABLE passage_1 DROP CONSTRAINT passage_1_pkey")
        execute(session, "DROP INDEX ix_passage_1_embedding")  # ten thousand alike in a graph take seconds
        execute(session, copies)
    for exactly in (meaning.EXACTLY, 0):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(meaning, "EXACTLY", exactly)
            (one,) = found(catalogue, embedder, "late train", speaker="Ada", least=-1.0)
        assert one.video == "rare"
    catalogue.close()


def test_what_is_due_and_how_a_model_takes_the_place_of_another(new_database: NewDatabase, embedder: Embedder) -> None:
    catalogue = Database(new_database())
    assert catalogue.read(meaning.current_index) is None
    old = catalogue.run(meaning.open_index, embedder.model.identity)
    assert old is not None and old.current and catalogue.run(meaning.open_index, embedder.model.identity) == old
    pk = add(catalogue, embedder, "rail", *RAIL)
    late = published(catalogue, spoken(*SOUP), Video("soup"))  # by a worker that has no model
    assert [each.video_pk for each in catalogue.read(meaning.due, old)] == [late.id]

    # What people correct is shown at once, and is due.
    change = catalogue.run(corrections.correct, pk, 0.0, "suitcase", "trunk")
    catalogue.run(corrections.record, change, "me")
    assert "trunk" in found(catalogue, embedder, "luggage")[0].text
    assert {each.video_pk for each in catalogue.read(meaning.due, old)} == {pk, late.id}

    new = catalogue.run(meaning.open_index, {**embedder.model.identity, "revision": "2"})
    assert new is not None and not new.current
    left = catalogue.run(meaning.make_current, new)
    assert len(left) == 2 and catalogue.read(meaning.current_index) == old
    for each in left:
        transcript = spoken(*(SOUP if each.video_pk == late.id else RAIL))
        assert catalogue.run(meaning.put_again, each, of(embedder, transcript, revision="2"))
    assert not catalogue.run(meaning.put_again, replace(left[0], corrected="else"), of(embedder, transcript))
    assert catalogue.run(meaning.make_current, new) == []
    assert catalogue.read(meaning.current_index) == replace(new, current=True)
    catalogue.run(meaning.drop_index, replace(new, current=True))  # the current one stays
    catalogue.run(meaning.drop_index, old)
    with catalogue.connection() as connection:
        tables = execute(connection, "SELECT relname FROM pg_class WHERE relname ~ '^passage_[0-9]+$'").scalars().all()
    assert tables == [new.table]
    assert {hit.video for hit in found(catalogue, embedder, "train soup")} == {"rail", "soup"}
    catalogue.run(video_rows.find_videos, "soup")
    with catalogue.session() as session:
        execute(session, "UPDATE video SET current_transcript_pk = NULL WHERE id = :id", id=late.id)
        execute(session, "DELETE FROM transcript WHERE video_pk = :id", id=late.id)
        assert execute(session, "SELECT count(*) FROM passage_2").scalar_one() == 1
    catalogue.close()


def test_a_server_without_vectors_goes_on_without(empty_database: NewDatabase, embedder: Embedder) -> None:
    """Somebody who may not make the extension: no index, the remedy, and publishing as ever."""
    url = empty_database()
    with psycopg.connect(url) as connection:
        name = connection.info.dbname
        connection.execute("DROP ROLE IF EXISTS plain")
        connection.execute("CREATE ROLE plain LOGIN")
        connection.execute(f"ALTER DATABASE {name} OWNER TO plain")
        connection.execute("GRANT CREATE ON SCHEMA public TO plain")
    catalogue = Database(str(url).replace(f"{psycopg.conninfo.conninfo_to_dict(url)['user']}@", "plain@", 1))
    from channelscribe.catalogue import schema

    schema.migrate(catalogue)
    assert catalogue.run(meaning.open_index, embedder.model.identity) is None
    assert "CREATE EXTENSION vector" in (catalogue.read(meaning.how_to_have_vectors) or "")
    add(catalogue, embedder, "rail", *RAIL)
    assert len(catalogue.read(search.search, Question("train"))) == 1
    catalogue.close()


def test_every_place_of_a_word_is_found_however_many(
    new_database: NewDatabase, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "DEEPEST", 5)
    catalogue = Database(new_database())
    catalogue.run(meaning.open_index, embedder.model.identity)
    add(catalogue, embedder, "many", *(f"The station in Sydney, number {n}." for n in range(13)))
    wanted = {hit.start for hit in catalogue.read(search.search, Question("station"), 50)}
    assert len(wanted) == 13
    whole = [hit.start for hit in found(catalogue, embedder, "station", "both", limit=50) if hit.by != "meaning"]
    assert sorted(whole) == sorted(wanted)
    paged: list[search.Hit] = []
    while page := found(catalogue, embedder, "station", "both", limit=4, after=paged[-1].place if paged else None):
        paged += page
    assert sorted(hit.start for hit in paged if hit.by != "meaning") == sorted(wanted)
    catalogue.close()
