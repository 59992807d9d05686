"""Voices in the catalogue: speakers put together as videos are published, and what people said of them."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from channelscribe.catalogue import leases, publishing, references, transcripts, videos, voices, watches
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.search import facets, search
from channelscribe.catalogue.search_query import Question
from channelscribe.errors import UsageError
from channelscribe.export import VideoMeta, render
from channelscribe.transcript import Segment, Transcript, Turn, Word
from tests.catalogue.records import OWNER, Listed, Video, published
from tests.databases import NewDatabase

ADA, BOB, EVE = "ada", "bob", "eve"
PEOPLE = {name: np.eye(8)[n] for n, name in enumerate((ADA, BOB, EVE))}


def _said(**speakers: str) -> Transcript:
    """Who says what, ten seconds each, by label."""
    segments, turns = [], []
    for place, (label, text) in enumerate(speakers.items()):
        start, words = place * 10.0, text.split()
        turns.append(Turn(start, start + 10, label))
        made = [Word(word, start + n, start + n + 1, 0.5, label) for n, word in enumerate(words)]
        segments.append(Segment(start, start + 10, text, label, -0.2, made))
    return Transcript("en", 10.0 * len(speakers), segments, turns)


def _heard(**people: str) -> dict[str, Any]:
    """What was heard of speakers: who they are, with a little of their own in each recording."""
    generator = np.random.default_rng(len(str(people)))
    heard = {}
    for label, person in people.items():
        vector = PEOPLE[person] + generator.normal(scale=0.05, size=8)
        heard[label] = {"vector": list(vector / np.linalg.norm(vector)), "seconds": 10.0, "spread": 0.1}
    return {"embedder": "ge2e/1", "voices": heard}


def _publish(catalogue: Database, video: str, source: Any = None, **people: str) -> int:
    texts = {label: f"words of {person}" for label, person in people.items()}
    facts = {} if source is None else {"site": source.site}
    return published(catalogue, _said(**texts), Video(video, **facts), source, heard=_heard(**people)).id


def _groups(catalogue: Database) -> set[frozenset[tuple[str, str]]]:
    return {frozenset((each.video, each.label) for each in voice.members) for voice in catalogue.run(voices.listed)}


THREE = {"v1": {"S0": ADA, "S1": BOB}, "v2": {"S0": BOB, "S1": EVE}, "v3": {"S0": ADA, "S1": BOB}}


def test_speakers_are_put_together_as_they_come_and_in_any_order(catalogue: Database) -> None:
    seen = []
    for order in permutations(THREE):
        with catalogue.session() as session:
            execute(session, "TRUNCATE source, video, voice RESTART IDENTITY CASCADE")
        for video in order:
            _publish(catalogue, video, **THREE[video])
        seen.append(_groups(catalogue))
    wanted = {
        frozenset({("v1", "S0"), ("v3", "S0")}),
        frozenset({("v1", "S1"), ("v2", "S0"), ("v3", "S1")}),
        frozenset({("v2", "S1")}),
    }
    assert seen == [wanted] * 6


def _number(catalogue: Database, video: str, label: str) -> int:
    (found,) = (
        voice.number
        for voice in catalogue.run(voices.listed)
        if any((each.video, each.label) == (video, label) for each in voice.members)
    )
    return found


def test_a_name_is_seen_everywhere_and_nothing_is_written_anew(catalogue: Database) -> None:
    first = _publish(catalogue, "v1", S0=ADA, S1=BOB)
    number = _number(catalogue, "v1", "S0")
    assert catalogue.run(voices.name, str(number), "  Ada   Lovelace ", "me") == number
    second = _publish(catalogue, "v2", S0=BOB, S1=ADA)
    _, _, shown = catalogue.run(transcripts.transcript_of, second)
    assert [segment.speaker for segment in shown.segments] == ["S0", "Ada Lovelace"]
    assert {word.speaker for word in shown.words} == set(shown.speakers) == {"S0", "Ada Lovelace"}
    meta = VideoMeta("A title", "https://example.org")
    assert "[Ada Lovelace]" in render(shown, "txt", meta) or "Ada Lovelace:" in render(shown, "txt", meta)
    assert '"S1": "Ada Lovelace"' in render(shown, "json", meta)
    _, _, beneath = catalogue.run(transcripts.transcript_of, second, recognized=True)
    assert [segment.speaker for segment in beneath.segments] == ["S0", "S1"] and "names" not in beneath.to_dict()
    hits = catalogue.read(search, Question("words", speaker="ada lovelace"))
    assert {(hit.video, hit.speaker, hit.text) for hit in hits} == {
        ("v1", "Ada Lovelace", "words of ada"),
        ("v2", "Ada Lovelace", "words of ada"),
    }
    assert {hit.video for hit in catalogue.read(search, Question("words", speaker="S0"))} == {"v1", "v2"}
    assert catalogue.read(facets, Question("words"))["speaker"] == {"Ada Lovelace": 2, "S0": 1, "S1": 1}
    rows = list(transcripts.corpus(catalogue, "Channel One"))
    assert [row.speaker for _, row in rows] == ["Ada Lovelace", "S1", "S0", "Ada Lovelace"]
    assert catalogue.run(voices.name, "Ada Lovelace", "", "me") == number
    _, _, shown = catalogue.run(transcripts.transcript_of, first)
    assert shown.speakers == ["S0", "S1"]


def test_a_watch_on_a_person_hears_of_what_is_new(catalogue: Database) -> None:
    """Who speaks is known before watches look at what is said."""
    _publish(catalogue, "v1", S0=ADA, S1=BOB)
    catalogue.run(voices.name, "v1/S0", "Ada Lovelace", "me")
    catalogue.run(watches.add, watches.Watch("ada", "words", speaker="ada lovelace"))
    _publish(catalogue, "v2", S0=BOB, S1=ADA)
    (hit,) = catalogue.read(watches.entries, "ada")
    assert hit.video == "v2" and [each["text"] for each in hit.passages] == ["words of ada"]


def test_what_people_decide_no_run_undoes(catalogue: Database) -> None:
    for video in ("v1", "v2"):
        _publish(catalogue, video, **THREE[video])
    ada, bob, eve = _number(catalogue, "v1", "S0"), _number(catalogue, "v1", "S1"), _number(catalogue, "v2", "S1")
    assert catalogue.run(voices.merge, [str(ada), str(eve)], "me") == ada
    other = catalogue.run(voices.split, str(bob), ["v2"], "me")
    decided = {
        frozenset({("v1", "S0"), ("v2", "S1")}),
        frozenset({("v1", "S1")}),
        frozenset({("v2", "S0")}),
    }
    assert _groups(catalogue) == decided and other not in (ada, bob, eve)
    _publish(catalogue, "v3", S0=ADA)
    _publish(catalogue, "v4", S0=EVE)
    assert _number(catalogue, "v3", "S0") == _number(catalogue, "v4", "S0") == ada
    _publish(catalogue, "v5", S0=BOB)
    assert _number(catalogue, "v5", "S0") in (bob, other)
    with pytest.raises(UsageError, match="in none of these videos"):
        catalogue.run(voices.split, str(ada), ["v5"], "me")
    with pytest.raises(UsageError, match="two voices"):
        catalogue.run(voices.merge, [str(ada), str(ada)], "me")


def test_sources_are_apart_until_somebody_says_otherwise(catalogue: Database) -> None:
    other = Listed(site="podcast", source_id="P1", title="Podcast", url="https://example.org/feed")
    _publish(catalogue, "v1", S0=ADA)
    _publish(catalogue, "e1", other, S0=ADA)
    assert len(_groups(catalogue)) == 2
    assert [voice.videos for voice in catalogue.run(voices.listed, "Podcast")] == [1]
    here, there = _number(catalogue, "v1", "S0"), _number(catalogue, "e1", "S0")
    catalogue.run(voices.name, str(there), "Ada", "me")
    catalogue.run(voices.merge, [str(here), str(there)], "me")
    _publish(catalogue, "e2", other, S0=ADA)
    assert _groups(catalogue) == {frozenset({("v1", "S0"), ("e1", "S0"), ("e2", "S0")})}
    assert [voice.name for voice in catalogue.run(voices.listed)] == ["Ada"]


def test_a_new_version_keeps_what_was_said_of_its_speakers(catalogue: Database) -> None:
    pk = _publish(catalogue, "v1", S0=ADA, S1=BOB)
    catalogue.run(voices.name, "v1/S1", "Bob", "me")
    catalogue.run(voices.forget, ["v1/S0"], "me")
    # Now the labels are the other way round, and a third one says a word.
    text = Transcript("en", 20.0, turns=[Turn(0, 9, "S1"), Turn(9, 10, "S2"), Turn(11, 19.5, "S0")])
    published(catalogue, text, Video("v1"), heard=_heard(S0=BOB, S1=ADA, S2=EVE), identity="b" * 64)
    with catalogue.session() as session:
        row = session.connection()
        known = voices.shown_names(row, [videos.rows_of(session, [pk])[0].current_transcript_pk or 0])
    assert list(known.values()) == [{"S0": "Bob"}]
    assert _groups(catalogue) == {frozenset({("v1", "S0")}), frozenset({("v1", "S2")})}
    # And back.
    assert catalogue.run(transcripts.make_current, pk, 1)
    assert _groups(catalogue) == {frozenset({("v1", "S1")})}


def test_forgotten_is_forgotten(catalogue: Database) -> None:
    pk = _publish(catalogue, "v1", S0=ADA, S1=BOB)
    number = _number(catalogue, "v1", "S0")
    catalogue.run(voices.name, str(number), "Ada", "me")
    of, vectors = catalogue.run(voices.vectors_of, ["ADA"])
    assert of == [pk] and len(vectors) == 1
    assert catalogue.run(voices.forget, ["ADA"], "me") == [number]
    assert _groups(catalogue) == {frozenset({("v1", "S1")})}
    catalogue.run(leases.claim, [pk], OWNER, 60, only_due=False)
    text = _said(S0="one", S1="two")
    catalogue.run(publishing.publish, pk, OWNER, "c" * 64, text, {}, {}, heard=_heard(S0=ADA, S1=BOB))
    with catalogue.session() as session:
        rows = execute(session, "SELECT label, vector IS NULL AS gone FROM speaker_voice WHERE label = 'S0'").all()
        assert all(row.gone for row in rows)
        assert execute(session, "SELECT count(*) FROM voice WHERE name IS NOT NULL").scalar_one() == 0
    with pytest.raises(UsageError, match="no voice"):
        catalogue.run(voices.forget, ["Ada"], "me")


def test_a_takedown_takes_voices_and_names(catalogue: Database) -> None:
    first, second = _publish(catalogue, "v1", S0=ADA), _publish(catalogue, "v2", S0=ADA, S1=BOB)
    catalogue.run(voices.name, "v2/S1", "Bob", "me")
    assert catalogue.run(references.remains, second).rows["voices"] == 2
    catalogue.run(references.mark_taken_down, second)
    with catalogue.session() as session:
        assert execute(session, "SELECT count(*) FROM speaker_voice").scalar_one() == 1
        assert execute(session, "SELECT count(*) FROM voice").scalar_one() == 1
        assert execute(session, "SELECT count(*) FROM voice_pin").scalar_one() == 0
    assert _groups(catalogue) == {frozenset({("v1", "S0")})}
    catalogue.run(references.mark_taken_down, first)
    assert _groups(catalogue) == set()


def test_without_a_vector_a_speaker_can_be_named_still(catalogue: Database) -> None:
    """Too little said, or a transcript of before there were voices."""
    heard = _heard(S0=ADA) | {"voices": {"S0": {"vector": None, "seconds": 1.5, "spread": None}}}
    pk = published(catalogue, _said(S0="one", S1="two"), Video("v1"), heard=heard).id
    assert catalogue.run(voices.listed) == []
    for label, name in (("S0", "Ada"), ("S1", "Bob")):
        catalogue.run(voices.name, f"v1/{label}", name, "me")
    _publish(catalogue, "v2", S0=ADA)
    assert catalogue.run(transcripts.transcript_of, pk)[2].speakers == ["Ada", "Bob"]
    assert {voice.name for voice in catalogue.run(voices.listed)} == {"Ada", "Bob", None}
    for wrong in ("v1/S9", "nobody", "99"):
        with pytest.raises(UsageError, match="no voice"):
            catalogue.run(voices.name, wrong, "Eve", "me")
    for bad in ("7", "x" * 201):
        with pytest.raises(UsageError, match="cannot be a name"):
            catalogue.run(voices.name, "Ada", bad, "me")


def test_an_older_schema_has_no_names(empty_database: NewDatabase) -> None:
    from channelscribe.catalogue import schema

    old = Database(empty_database())
    schema.migrate(old, "0014")
    assert old.read(voices.shown_names, [1]) == {}
    assert old.read(search, Question("words", speaker="Ada")) == []
    old.close()
