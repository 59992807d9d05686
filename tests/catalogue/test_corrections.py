"""Corrections: everybody sees them, what was recognized stays, new versions get them, and order does not matter."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from channelscribe.catalogue import (
    corrections,
    entities,
    leases,
    publishing,
    references,
    schema,
    search,
    transcripts,
    videos,
)
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.corrections import Change, Listed
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.words import did_you_mean
from channelscribe.errors import TextError, UnknownVideo, UsageError
from channelscribe.transcript import Segment, Transcript, Word
from tests.catalogue.records import OWNER, Video, published, spoken
from tests.catalogue.records import Listed as Listing
from tests.catalogue.test_schema import FULL
from tests.databases import NewDatabase

# ruff: noqa: S608 - names of tables that stand here
BY = "Ada"
TALK = ("Today we open Confu I, and", "the nodes of confu i are many.", "Nobody knows why. Pip does.")


@pytest.fixture(autouse=True)
def no_words(catalogue: Database) -> None:
    """Words of other tests' transcripts stay in the lexicon."""
    with catalogue.session() as session:
        execute(session, "DELETE FROM word")


def corrected(catalogue: Database, changes: list[Change]) -> list[Listed]:
    return catalogue.run(corrections.record, changes, BY)


def correct(catalogue: Database, video: str, seconds: float, old: str, new: str) -> list[Listed]:
    return corrected(catalogue, catalogue.run(corrections.correct, video, seconds, old, new))


def texts(catalogue: Database, video: str = "v", **options: Any) -> list[str]:
    return [each.text for each in catalogue.run(transcripts.transcript_of, video, **options)[2].segments]


def version(catalogue: Database, transcript: Transcript, name: str, video: str = "v", **reading: Any) -> None:
    """Another version of a published video."""
    (row,) = catalogue.run(videos.find_videos, video)
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)
    catalogue.run(publishing.publish, row.id, OWNER, name, transcript, reading, {})


def test_a_correction_is_seen_everywhere_and_what_was_recognized_stays(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    before = catalogue.run(transcripts.transcript_of, "v")[2]
    (made,) = correct(catalogue, "v", 1.5, "confu i", "ComfyUI")
    assert (made.seen, made.new, made.standing, made.made_by, made.version) == (
        "Confu I,", "ComfyUI,", "applied", BY, 1,
    )  # fmt: skip
    shown = catalogue.run(transcripts.transcript_of, "v")[2]
    assert shown.segments[0].text == "Today we open ComfyUI, and"
    assert [word.text for word in shown.segments[0].words] == ["Today", "we", "open", "ComfyUI,", "and"]
    assert shown.segments[1:] == before.segments[1:] and shown.turns == before.turns
    word, (first, last) = shown.segments[0].words[3], before.segments[0].words[3:5]
    assert (word.start, word.end, word.speaker, word.score) == (first.start, last.end, "S0", None)
    assert catalogue.run(transcripts.transcript_of, "v", recognized=True)[2] == before
    (hit,) = catalogue.run(search.search, Question("comfyui"))
    assert hit.highlighted == "Today we open **ComfyUI**, and"
    assert [hit.start for hit in catalogue.run(search.search, Question('"confu i"'))] == [2.0]
    assert catalogue.run(did_you_mean, "comfyiu") == "comfyui"


def test_undo_brings_back_every_row_as_it_was(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    tables = ("segment", "speaker", "sentence", "entity", "word", "transcript")

    def rows() -> dict[str, Any]:
        with catalogue.session() as session:
            return {name: execute(session, f"SELECT * FROM {name} ORDER BY 1, 2").all() for name in tables}

    before = rows()
    (one,) = correct(catalogue, "v", 1.5, "confu i", "ComfyUI")
    (two,) = correct(catalogue, "v", 5.0, "knows why", "would guess a reason why")
    corrected(catalogue, catalogue.run(corrections.correct_speaker, "v", 4.0, 6.0, "Pip"))
    assert rows() != before
    undone = catalogue.run(corrections.undo, [one.number, two.number, two.number + 1], "Bo")
    assert [each.undone_by for each in undone] == ["Bo"] * 3
    assert rows() == before
    assert catalogue.run(corrections.listed) == []
    assert len(catalogue.run(corrections.listed, undone=True)) == 3
    with pytest.raises(UsageError, match="no correction 99"):
        catalogue.run(corrections.undo, [99], BY)


def test_words_that_are_not_there_are_told_with_what_is(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    with pytest.raises(UsageError, match=r"'conf' is not said within 10 s of 1 s; it says there: Today we open Confu"):
        correct(catalogue, "v", 1.0, "conf", "x")  # whole words alone
    with pytest.raises(UsageError, match="nothing is said there"):
        correct(catalogue, "v", 500.0, "confu i", "x")
    with pytest.raises(UnknownVideo, match="no transcript of 'w'"):
        correct(catalogue, "w", 1.0, "confu", "x")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("knows why", "does", "Nobody does. Pip does."),
        ("knows", "", "Nobody why. Pip does."),
        ("nobody", "somebody", "Somebody knows why. Pip does."),
        ("pip does", "PIP did!", "Nobody knows why. PIP did!"),
        ("knows why", "quite knows the reason why", "Nobody quite knows the reason why. Pip does."),
        ("many nobody", "few all", "all knows why. Pip does."),
    ],
)
def test_texts_words_and_times_agree(catalogue: Database, old: str, new: str, text: str) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    correct(catalogue, "v", 4.0, old, new)
    transcript = catalogue.run(transcripts.transcript_of, "v")[2]
    assert transcript.segments[2].text == text
    for segment in transcript.segments:
        assert " ".join(word.text for word in segment.words) == segment.text
        assert all(segment.start <= word.start <= word.end <= segment.end + 1e-9 for word in segment.words)
    starts = [word.start for word in transcript.words]
    assert starts == sorted(starts)


def test_a_correction_of_a_correction_and_its_undoing(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    correct(catalogue, "v", 1.5, "confu i", "Comfy UI")
    (second,) = correct(catalogue, "v", 1.5, "open comfy", "opened Comfy")
    assert texts(catalogue)[0] == "Today we opened Comfy UI, and"
    assert [each.standing for each in catalogue.run(corrections.listed)] == ["replaced", "applied"]
    catalogue.run(corrections.undo, [second.number], BY)
    assert texts(catalogue)[0] == "Today we open Comfy UI, and"


def test_a_new_version_gets_them_where_they_still_belong(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    correct(catalogue, "v", 1.5, "confu i", "ComfyUI")
    correct(catalogue, "v", 3.0, "confu i", "ComfyUI")
    correct(catalogue, "v", 5.0, "pip", "Pipp")
    version(catalogue, spoken("Well.", "Today we open confu i, and", "the nodes of ComfyUI are many."), "t2")
    assert texts(catalogue) == ["Well.", "Today we open ComfyUI, and", "the nodes of ComfyUI are many."]
    assert [each.standing for each in catalogue.run(corrections.listed)] == ["applied", "not needed", "open"]
    assert [each.seen for each in catalogue.run(corrections.listed, standing="open")] == ["Pip"]
    assert texts(catalogue, version=1)[0] == "Today we open ComfyUI, and"
    (row,) = catalogue.run(videos.find_videos, "v")
    catalogue.run(transcripts.make_current, row.id, 1)
    assert {each.standing for each in catalogue.run(corrections.listed)} == {"applied"}


def test_a_place_that_moved_far_is_found_by_all_that_is_around(catalogue: Database) -> None:
    """The publisher put a minute of advertisements before the talk."""
    published(catalogue, spoken(*TALK), Video("v"))
    correct(catalogue, "v", 3.0, "confu i", "ComfyUI")
    version(catalogue, spoken(*["Buy this now"] * 30, *TALK), "t2")
    assert texts(catalogue)[30:] == [TALK[0], "the nodes of ComfyUI are many.", TALK[2]]
    assert texts(catalogue, version=1)[1] == "the nodes of ComfyUI are many."


def test_everywhere_takes_whole_words_and_keeps_case(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    published(catalogue, spoken("It is confu", "I said, not confused.", "CONFU I"), Video("w"))
    other = Listing(url="https://example.org/feed", title="Second Feed", source_id="feed-2", site="generic")
    published(catalogue, spoken("Confu I here, too"), Video("x", site="generic"), other)
    places = catalogue.run(corrections.everywhere, "confu i", "comfy")
    assert [(place.video, place.seen, place.new) for place in places] == [
        ("v", "Confu I,", "Comfy,"),
        ("v", "confu i", "comfy"),
        ("w", "confu I", "comfy"),
        ("w", "CONFU I", "COMFY"),
        ("x", "Confu I", "Comfy"),
    ]
    assert len(catalogue.run(corrections.everywhere, "confu i", "comfy", channel="second feed")) == 1
    assert len(catalogue.run(corrections.everywhere, "confu i", "comfy", beside="w")) == 4
    made = corrected(catalogue, places)
    assert texts(catalogue, "w") == ["It is comfy", "said, not confused.", "COMFY"]
    assert catalogue.run(corrections.everywhere, "confu i", "comfy") == []
    assert catalogue.run(corrections.everywhere, "comfy", "comfy") == []
    catalogue.run(corrections.undo, [made[0].number], BY, together=True)
    assert texts(catalogue, "w") == ["It is confu", "I said, not confused.", "CONFU I"]


def test_everywhere_twice_does_not_grow(catalogue: Database) -> None:
    published(catalogue, spoken("From New York, and York"), Video("v"))
    corrected(catalogue, catalogue.run(corrections.everywhere, "york", "New York"))
    assert texts(catalogue) == ["From New York, and New York"]
    assert catalogue.run(corrections.everywhere, "york", "New York") == []


def test_languages_without_spaces(catalogue: Database) -> None:
    japanese = Transcript("ja", 4.0, [Segment(0, 4, "東京都へ行く。", "S0", None, [
        Word(text, n * 0.5, n * 0.5 + 0.5, 0.5, "S0") for n, text in enumerate(["東", "京", "都", "へ", "行", "く。"])
    ])])  # fmt: skip
    published(catalogue, japanese, Video("v"))
    places = catalogue.run(corrections.everywhere, "京都", "京都府")
    assert [(place.seen, place.new) for place in places] == [("京都", "京都府")]
    corrected(catalogue, places)
    segment = catalogue.run(transcripts.transcript_of, "v")[2].segments[0]
    assert (segment.text, "".join(word.text for word in segment.words)) == ("東京都府へ行く。",) * 2
    assert [hit.video for hit in catalogue.run(search.search, Question("都府"))] == ["v"]


def test_names_and_sentences_move_with_the_words(catalogue: Database) -> None:
    text = " ".join(TALK)

    def name(words: str, label: str, start: float) -> dict[str, Any]:
        at = text.index(words)
        return {"text": words, "key": words.lower(), "label": label, "start_char": at, "end_char": at + len(words),
                "start": start, "end": start + 0.5, "speaker": "S0"}  # fmt: skip

    published(catalogue, spoken(*TALK), Video("v"))
    sentence = {**name(TALK[2][:17], "", 4.0)}
    reading = {"entities": [name("Confu", "ORG", 1.2), name("Pip", "PERSON", 5.2)], "sentences": [sentence]}
    version(catalogue, spoken(*TALK), "t2", **reading)
    correct(catalogue, "v", 1.5, "confu i", "ComfyUI")
    correct(catalogue, "v", 5.0, "knows", "would know")
    found = catalogue.run(entities.entity_counts)
    assert [(each.text, each.key, each.label) for each in found] == [
        ("ComfyUI", "comfyui", "ORG"),
        ("Pip", "pip", "PERSON"),
    ]
    assert [hit.video for hit in catalogue.run(search.search, Question("", entity="ComfyUI"))] == ["v"]
    shown = catalogue.run(transcripts.transcript_of, "v")[2].text
    with catalogue.session() as session:
        for row in execute(
            session,
            "SELECT text, start_char, end_char FROM entity UNION ALL SELECT text, start_char, end_char FROM sentence",
        ):
            assert shown[row.start_char : row.end_char] == row.text
        assert execute(session, "SELECT text FROM sentence").scalar_one() == "Nobody would know why."
    catalogue.run(corrections.undo, [1, 2], BY)
    assert {each.text for each in catalogue.run(entities.entity_counts)} == {"Confu", "Pip"}


def test_a_reading_that_is_made_anew_is_corrected_too(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    correct(catalogue, "v", 1.5, "confu i", "ComfyUI")
    at = " ".join(TALK).index("Pip")
    name = {
        "text": "Pip",
        "key": "pip",
        "label": "PERSON",
        "start_char": at,
        "end_char": at + 3,
        "start": 5.0,
        "end": 5.2,
    }
    transcript = catalogue.run(transcripts.transcript_of, "v", recognized=True)[2]
    (row,) = catalogue.run(videos.find_videos, "v")
    version(catalogue, transcript, f"{row.id:064x}", entities=[name])
    assert len(catalogue.run(transcripts.versions, row.id)) == 1
    with catalogue.session() as session:
        start = execute(session, "SELECT start_char FROM entity").scalar_one()
    assert catalogue.run(transcripts.transcript_of, "v")[2].text[start : start + 3] == "Pip"


def test_the_corrected_text_is_read_and_its_new_names_are_found(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    made = [
        *correct(catalogue, "v", 0.0, "today", "Well, this day"),
        *correct(catalogue, "v", 1.5, "confu i", "ComfyUI"),
    ]
    _, row, shown = catalogue.run(transcripts.transcript_of, "v")

    def name(words: str, start: float) -> dict[str, Any]:
        at = shown.text.index(words)
        return {"text": words, "key": words.lower(), "label": "ORG", "start_char": at, "end_char": at + len(words),
                "start": start, "end": start + 0.4, "speaker": "S0"}  # fmt: skip

    reading = {"entities": [name("ComfyUI", 1.2), name("Pip", 5.2)]}
    (video,) = catalogue.run(videos.find_videos, "v")

    def publish(read_with: str | None) -> None:
        catalogue.run(leases.claim, [video.id], OWNER, 60, only_due=False)
        recognized = catalogue.run(transcripts.transcript_of, "v", recognized=True)[2]
        given = (video.id, OWNER, row.transcript_id, recognized, reading, {})
        catalogue.run(publishing.publish, *given, reading_key="processed/k.json", read_with=read_with)

    with pytest.raises(TextError, match="corrected while it was read"):
        publish("other")
    publish(row.corrected)

    def names() -> list[tuple[str, str]]:
        with catalogue.session() as session:
            rows = execute(session, "SELECT text, key, start_char, end_char FROM entity ORDER BY index").all()
        text = catalogue.run(transcripts.transcript_of, "v")[2].text
        assert [text[each.start_char : each.end_char] for each in rows] == [each.text for each in rows]
        return [(each.text, each.key) for each in rows]

    assert names() == [("ComfyUI", "comfyui"), ("Pip", "pip")]
    catalogue.run(corrections.undo, [each.number for each in made], BY)
    assert names() == [("Confu I", "confu i"), ("Pip", "pip")]


def test_what_was_corrected_alike_is_a_glossary(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    corrected(catalogue, catalogue.run(corrections.everywhere, "confu i", "ComfyUI"))
    correct(catalogue, "v", 5.0, "pip", "Pipp")
    assert catalogue.run(corrections.glossary) == {"confu i": "ComfyUI"}
    assert catalogue.run(corrections.glossary, channel="Channel One", least=1) == {"confu i": "ComfyUI", "pip": "Pipp"}


def test_a_speaker_by_time(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    (made,) = corrected(catalogue, catalogue.run(corrections.correct_speaker, "v", 4.0, 6.0, "Pip"))
    assert (made.speaker, made.seen, made.standing) == ("Pip", TALK[2], "applied")
    shown = catalogue.run(transcripts.transcript_of, "v")[2]
    assert [segment.speaker for segment in shown.segments] == ["S0", "S0", "Pip"]
    assert [(turn.start, turn.end, turn.speaker) for turn in shown.turns] == [(0.0, 4.0, "S0"), (4.0, 6.0, "Pip")]
    assert [hit.start for hit in catalogue.run(search.search, Question("", speaker="Pip"))] == [4.0]
    with pytest.raises(UsageError, match="Nothing is said from 90 to 95 s"):
        catalogue.run(corrections.correct_speaker, "v", 90.0, 95.0, "Pip")


def test_a_speakers_label_is_of_its_version(catalogue: Database) -> None:
    """What SPEAKER_01 is in one version may be SPEAKER_00 in the next."""
    two = spoken("one two", "three four", "five six", "seven eight", speaker="SPEAKER_00")
    published(catalogue, relabelled(two, {3: "SPEAKER_01"}), Video("v"))
    corrected(catalogue, catalogue.run(corrections.correct_speaker, "v", 2.0, 4.0, "SPEAKER_01"))
    other = spoken("one two", "three four", "five six", "seven eight", speaker="SPEAKER_01")
    version(catalogue, relabelled(other, {3: "SPEAKER_00"}), "t2")
    shown = catalogue.run(transcripts.transcript_of, "v")[2]
    assert [each.speaker for each in shown.segments] == ["SPEAKER_01", "SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]
    version(catalogue, spoken("one two", "three four", speaker=None), "t3")
    assert [each.standing for each in catalogue.run(corrections.listed)] == ["open"]


def relabelled(transcript: Transcript, labels: dict[int, str]) -> Transcript:
    from channelscribe.transcript import Turn

    for index, label in labels.items():
        transcript.segments[index].speaker = label
        for word in transcript.segments[index].words:
            word.speaker = label
    transcript.turns = [Turn(each.start, each.end, each.speaker) for each in transcript.segments if each.speaker]
    return transcript


def test_a_takedown_forgets_them(catalogue: Database) -> None:
    published(catalogue, spoken(*TALK), Video("v"))
    correct(catalogue, "v", 1.5, "confu i", "ComfyUI")
    (row,) = catalogue.run(videos.find_videos, "v")
    assert catalogue.run(references.remains, row.id).rows["corrections"] == 1
    catalogue.run(references.mark_taken_down, row.id)
    with catalogue.session() as session:
        for table in ("correction", "word"):
            assert execute(session, f"SELECT count(*) FROM {table}").scalar_one() == 0


WORDS = ["one", "two", "Three,", "four.", "five"]
SAID = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=6)
STEP = st.tuples(
    st.sampled_from(["correct", "correct", "correct", "undo", "again", "speaker", "back"]),
    st.integers(0, 2**16),
    st.lists(st.sampled_from([*WORDS, "neu", "Six"]), max_size=3).map(" ".join),
)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])  # a smaller one takes minutes
@given(SAID, SAID, st.lists(STEP, max_size=8), st.randoms(use_true_random=False))
def test_whatever_is_done_only_the_set_of_corrections_counts(
    one_database: str, first: list[str], second: list[str], steps: list[tuple[str, int, str]], rng: random.Random
) -> None:
    catalogue = Database(one_database)
    with catalogue.session() as session:
        execute(session, "TRUNCATE source, video, word RESTART IDENTITY CASCADE")
    published(catalogue, spoken(*first), Video("v"))
    versions = {1: first}
    for kind, number, new in steps:
        made = catalogue.run(corrections.listed)
        said = catalogue.run(transcripts.transcript_of, "v")[2].words
        if kind == "again" and len(versions) < 2:
            versions[2] = second
            version(catalogue, spoken(*second), "t2")
        elif kind == "back":
            (row,) = catalogue.run(videos.find_videos, "v")
            catalogue.run(transcripts.make_current, row.id, 1 + number % len(versions))
        elif kind == "undo" and made:
            catalogue.run(corrections.undo, [made[number % len(made)].number], BY)
        elif kind == "correct" and said:
            at = number % len(said)
            old = " ".join(word.text for word in said[at : at + 1 + number % 3])
            corrected(catalogue, catalogue.run(corrections.correct, "v", said[at].start, old, new))
        elif kind == "speaker" and said:
            at = said[number % len(said)]
            corrected(catalogue, catalogue.run(corrections.correct_speaker, "v", at.start, at.end, f"P{number % 2}"))

    def everything() -> Any:
        shown = {n: catalogue.run(transcripts.transcript_of, "v", n)[2] for n in versions}
        return shown, [(each.number, each.standing) for each in catalogue.run(corrections.listed)], lexicon(catalogue)

    ended = everything()
    for n, texts_ in versions.items():
        assert catalogue.run(transcripts.transcript_of, "v", n, recognized=True)[2] == spoken(*texts_)
        for segment in ended[0][n].segments:
            assert " ".join(word.text for word in segment.words) == segment.text
    # Taken back and made again in another order, they give the same.
    numbers = [each.number for each in catalogue.run(corrections.listed)]
    rng.shuffle(numbers)
    (row,) = catalogue.run(videos.find_videos, "v")
    for number in numbers:
        catalogue.run(corrections.undo, [number], BY)
    for n, texts_ in versions.items():
        assert catalogue.run(transcripts.transcript_of, "v", n)[2] == spoken(*texts_)
    rng.shuffle(numbers)
    for number in numbers:
        with catalogue.session() as session:
            execute(session, "UPDATE correction SET undone_at = NULL, undone_by = NULL WHERE id = :id", id=number)
            corrections.replay(session, [row.id])
    assert everything() == ended


def lexicon(catalogue: Database) -> list[str]:
    with catalogue.session() as session:
        return list(execute(session, "SELECT word FROM word ORDER BY word").scalars())


def test_a_library_without_corrections_in_its_schema_is_read(empty_database: NewDatabase) -> None:
    older = Database(empty_database())
    schema.migrate(older, "0012")
    with older.session() as session:
        for statement in FULL.replace("5, 4, ''", "4, 5, ''").split(";\n"):
            if statement.strip():
                execute(session, statement)
    _, row, transcript = older.run(transcripts.transcript_of, "v1")
    assert (row.version, row.corrected, transcript.segments[0].text) == (1, None, "The lighthouses")
    assert [each.corrected for each in older.run(transcripts.versions, row.video_pk)] == [None, None]
    older.close()
