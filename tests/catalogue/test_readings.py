"""A reading in the catalogue: its sentences and entities as they were read, with the transcript, in bulk."""

from __future__ import annotations

from channelscribe.catalogue import entities as entity_rows_
from channelscribe.catalogue import leases, publishing, search, transcripts
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.search_query import Question
from channelscribe.sample import world
from channelscribe.settings import TextOptions
from channelscribe.text.reading import read
from channelscribe.transcript import Segment, Transcript, Turn, Word
from tests.catalogue.records import OWNER, Video, published, spoken, with_videos


def test_a_reading_becomes_rows(catalogue: Database) -> None:
    pk = with_videos(catalogue, 1)[0].id
    catalogue.run(leases.claim, [pk], OWNER, 60, only_due=False)
    script = world.episodes()[0].script
    segments = [
        Segment(s.start, s.end, s.text, "S0", words=[Word(s.text, s.start, s.end, None, "S0")])
        for s in script.sentences
    ]
    transcript = Transcript("en", 99.0, segments, [Turn(0.0, 99.0, "S0")])
    reading = read(transcript, TextOptions(models={"en": "sample"}))
    catalogue.run(publishing.publish, pk, OWNER, "t1", transcript, reading.to_dict(), {})
    with catalogue.session() as session:
        sentences = execute(session, 'SELECT text, start_char, "end", speaker FROM sentence ORDER BY index').all()
        entities = execute(session, "SELECT text, key, label, start_char, segment FROM entity ORDER BY index").all()
    assert sentences == [(s.text, s.start_char, s.end, s.speaker) for s in reading.sentences]
    assert [row[:4] for row in entities] == [(e.text, e.key, e.label, e.start_char) for e in reading.entities]
    assert all(text in segments[segment].text for text, *_, segment in entities)
    counted = {(each.key, each.label): each.mentions for each in catalogue.run(entity_rows_.entity_counts)}
    assert sum(counted.values()) == len(reading.entities) > 5
    for entity in reading.entities[:3]:
        assert catalogue.run(search.search, Question("", entity=entity.text))


def test_chapters_are_the_topics_unless_the_site_gives_its_own(catalogue: Database) -> None:
    row = published(catalogue, spoken("The keeper", "Vienna"), Video("v1"))
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)
    topics = [{"start": 0.0, "title": "The keeper"}, {"start": 1.0, "title": ""}, {"start": 2.0, "title": "Vienna"}]
    told = spoken("The keeper", "Vienna")
    catalogue.run(publishing.publish, row.id, OWNER, f"{row.id:064x}", told, {"topics": topics}, {}, reading_key="r/1")
    _, version, _ = catalogue.run(transcripts.transcript_of, "v1")
    assert catalogue.read(transcripts.chapters_of, [], version.id) == [[0.0, "The keeper"], [2.0, "Vienna"]]
    assert catalogue.read(transcripts.chapters_of, [[9.0, "Own"]], version.id) == [[9.0, "Own"]]
    found = list(transcripts.corpus(catalogue, "Channel One"))
    assert [video.chapters for video, _ in found] == [[[0.0, "The keeper"], [2.0, "Vienna"]]] * 2
