"""Publishing: all or nothing, once, versioned, and read back as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channelscribe.catalogue import entities, leases, publishing, search, transcripts, videos
from channelscribe.catalogue.connection import Database, clean_json, execute
from channelscribe.catalogue.publishing import segment_rows
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.tables import State
from channelscribe.catalogue.transcripts import segment_of
from channelscribe.errors import UnknownVideo
from channelscribe.transcript import Segment, Transcript, Turn, Word
from tests.catalogue.records import OWNER, spoken, with_videos
from tests.databases import NewDatabase

READING: dict[str, Any] = {
    "sentences": [
        {"text": "Ada met Bo.", "start_char": 0, "end_char": 11, "start": 0.0, "end": 2.0, "speaker": "S0"}
    ],
    "entities": [
        {"text": "Ada", "key": "ada", "label": "PERSON", "start_char": 0, "end_char": 3, "start": 0.0,
         "end": 0.5, "speaker": "S0"},
        {"text": "Paris", "key": "paris", "label": "GPE", "start_char": 15, "end_char": 20, "start": 3.0,
         "end": 4.0, "speaker": None},
    ],
    "tokens": [],
    "models": {},
}  # fmt: skip
ROWS = ("transcript", "segment", "speaker", "sentence", "entity")


def counts(catalogue: Database) -> dict[str, int]:
    with catalogue.session() as session:
        count = "SELECT count(*) FROM "
        return {table: execute(session, count + table).scalar_one() for table in ROWS}


def claimed(catalogue: Database) -> int:
    pk = with_videos(catalogue, 1)[0].id
    catalogue.run(leases.claim, [pk], OWNER, 60, only_due=False)
    return pk


def test_a_transcript_comes_back_as_it_was(catalogue: Database) -> None:
    pk = claimed(catalogue)
    transcript = Transcript(
        "en",
        12.5,
        [
            Segment(0.1, 2.0, " Ada met Bo.", "S0", -0.3, [Word("Ada", 0.1, 0.5, 0.25, "S0"), Word("met", 0.5, 1)]),
            Segment(2.5, 4.0, "In Paris", None, None, [], ["unsure", "too_fast"]),
            Segment(4.0, 5.0, "both", "S1", -1.0, [Word("both", 4.0, 5.0, None, "S1", aligned=False)]),
        ],
        [Turn(0.0, 2.0, "S0"), Turn(1.5, 5.0, "S1"), Turn(6.0, 7.0, "S0")],
        {"recognizer": {"name": "tiny", "revision": "main"}},
        quality={"speech_seconds": 4.5, "unheard": [[2.0, 2.5]]},
        stages={"align": {"seconds": 1.25, "engines": {"torch": "2.8.0"}}},
    )
    assert catalogue.run(publishing.publish, pk, OWNER, "t1", transcript, READING, {"txt": "k.txt"}) == 1
    video, row, back = catalogue.run(transcripts.transcript_of, "v0")
    assert back == transcript
    assert (video.state, video.current_transcript_pk) == ("published", row.id)
    assert catalogue.run(videos.find_videos, "v0")[0].lease_owner is None
    assert (row.transcript_id, row.version, row.files) == ("t1", 1, {"txt": "k.txt"})
    assert counts(catalogue) == {"transcript": 1, "segment": 3, "speaker": 2, "sentence": 1, "entity": 2}
    with catalogue.session() as session:
        assert execute(session, "SELECT segment FROM entity ORDER BY index").scalars().all() == [0, 1]


def test_another_reading_takes_the_place_of_the_one_before(catalogue: Database) -> None:
    """A new text model, and the transcript stays what it was."""
    pk = claimed(catalogue)
    transcript = spoken("Ada met Bo.", "In Paris")
    catalogue.run(publishing.publish, pk, OWNER, "t1", transcript, READING, {})
    before = catalogue.run(transcripts.transcript_of, pk)
    catalogue.run(leases.claim, [pk], OWNER, 60, only_due=False)
    fewer = {**READING, "entities": READING["entities"][:1]}
    assert catalogue.run(publishing.publish, pk, OWNER, "t1", transcript, fewer, {}) == 1
    assert catalogue.run(transcripts.transcript_of, pk)[2] == before[2]
    assert counts(catalogue) == {"transcript": 1, "segment": 2, "speaker": 1, "sentence": 1, "entity": 1}
    assert [found.text for found in catalogue.run(entities.entity_counts)] == ["Ada"]


def test_the_same_again_changes_nothing(catalogue: Database) -> None:
    pk = claimed(catalogue)
    catalogue.run(publishing.publish, pk, OWNER, "t1", spoken("Ada met Bo.", "In Paris"), READING, {})
    before = catalogue.run(transcripts.transcript_of, pk)
    catalogue.run(leases.claim, [pk], OWNER, 60, only_due=False)
    assert catalogue.run(publishing.publish, pk, OWNER, "t1", spoken("other words"), READING, {}) == 1
    after = catalogue.run(transcripts.transcript_of, pk)
    assert after[1:] == before[1:]
    assert counts(catalogue) == {"transcript": 1, "segment": 2, "speaker": 1, "sentence": 1, "entity": 2}


def test_versions_and_the_current_pointer(catalogue: Database) -> None:
    pk = claimed(catalogue)
    for transcript_id, word in (("t1", "first"), ("t2", "second")):
        catalogue.run(leases.claim, [pk], OWNER, 60, only_due=False)
        catalogue.run(publishing.publish, pk, OWNER, transcript_id, spoken(word), {}, {})
    assert catalogue.run(transcripts.transcript_of, pk)[2].text == "second"
    assert catalogue.run(transcripts.transcript_of, pk, 1)[2].text == "first"
    assert [row.transcript_id for row in catalogue.run(transcripts.versions, pk)] == ["t1", "t2"]
    assert not catalogue.run(search.search, Question("first"))
    catalogue.run(leases.claim, [pk], OWNER, 60, only_due=False)
    assert catalogue.run(publishing.publish, pk, OWNER, "t1", spoken("first"), {}, {}) == 1
    assert catalogue.run(transcripts.transcript_of, pk)[2].text == "first"


def test_two_videos_may_have_the_same_content(catalogue: Database) -> None:
    pks = [row.id for row in with_videos(catalogue, 2)]
    catalogue.run(leases.claim, pks, OWNER, 60)
    assert [catalogue.run(publishing.publish, pk, OWNER, "same", spoken("silence"), {}, {}) for pk in pks] == [1, 1]


@pytest.mark.parametrize("table", ["segment", "entity"])
def test_a_break_in_the_middle_leaves_nothing(catalogue: Database, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    pk = claimed(catalogue)
    whole = publishing._copy

    def breaks(session: Any, name: str, records: Any) -> None:
        whole(session, name, records)
        if name == table:
            raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "_copy", breaks)
    with pytest.raises(KeyboardInterrupt):
        catalogue.run(publishing.publish, pk, OWNER, "t1", spoken("Ada met Bo."), READING, {})
    assert set(counts(catalogue).values()) == {0}
    assert catalogue.run(videos.find_videos, "v0")[0].state == State.DISCOVERED
    monkeypatch.undo()
    assert catalogue.run(publishing.publish, pk, OWNER, "t1", spoken("Ada met Bo."), READING, {}) == 1


def test_publishing_the_same_at_once(catalogue: Database) -> None:
    pk = claimed(catalogue)

    def publish(_: int) -> bool:
        try:
            return catalogue.run(publishing.publish, pk, OWNER, "t1", spoken("hello"), {}, {}) == 1
        except Exception as error:
            return type(error).__name__ == "LeaseLost"

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(publish, range(8)))
    assert counts(catalogue)["transcript"] == 1


def test_what_is_not_there(catalogue: Database) -> None:
    pk = claimed(catalogue)
    for video, version in (("nope", None), (10**9, None), (pk, None), (pk, 3)):
        with pytest.raises(UnknownVideo):
            catalogue.run(transcripts.transcript_of, video, version)


any_text = st.text(st.characters(codec=None), max_size=20)
times = st.floats(0, 1e5)


@pytest.fixture(scope="module")
def shared(new_database: NewDatabase) -> Database:
    return Database(new_database())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Word, any_text, times, times, st.none() | st.floats(0, 1), st.none() | st.sampled_from(["A", "B"]),
            st.booleans(),
        ),
        max_size=5,
    ),
    any_text,
)  # fmt: skip
def test_any_words_survive_copy(shared: Database, words: list[Word], text: str) -> None:
    transcript = Transcript("de", 1.0, [Segment(0.0, 1.0, text, "A", -0.5, words)])
    with shared.session() as session:
        execute(session, "ALTER TABLE segment DROP CONSTRAINT IF EXISTS segment_transcript_pk_fkey")
        publishing._copy(session, "segment", segment_rows(0, transcript))
        back = segment_of(execute(session, "SELECT * FROM segment").one(), "de")
        execute(session, "DELETE FROM segment")
    expected = clean_json(list(segment_rows(0, transcript)))
    assert clean_json(list(segment_rows(0, Transcript("de", 1.0, [back])))) == expected
