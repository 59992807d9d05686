"""Which transcripts are made anew, and which version is the current one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from channelscribe.catalogue import leases, publishing, search, transcripts
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.transcripts import Wanted
from channelscribe.errors import UnknownSource, UnknownVideo
from channelscribe.transcript import Segment, Transcript, Word
from tests.catalogue.records import OWNER, Listed, Video, published, spoken


def made_by(model: str, coverage: float | None, *texts: str) -> Transcript:
    transcript = spoken(*texts)
    transcript.models = {"recognizer": {"name": model}, "aligner": None, "diarizer": None}
    transcript.quality = {"coverage": coverage}
    return transcript


def chosen(catalogue: Database, **wanted: object) -> list[str]:
    return [each.video_id for each in catalogue.run(transcripts.choose, Wanted(**wanted))]  # type: ignore[arg-type]


def test_each_condition_and_all_together(catalogue: Database) -> None:
    other = Listed(source_id="UC2", url="https://www.youtube.com/@two", title="Channel Two")
    published(catalogue, made_by("small", 0.5, "a"), Video("v1", published=date(2024, 1, 1)))
    published(catalogue, made_by("small", 0.95, "b"), Video("v2", published=date(2024, 1, 2)))
    published(catalogue, made_by("large", None, "c"), Video("v3", published=date(2024, 1, 3)), other)
    assert chosen(catalogue) == ["v3", "v2", "v1"]
    assert chosen(catalogue, model="small") == ["v2", "v1"]
    assert chosen(catalogue, quality_below=0.9) == ["v1"]
    assert chosen(catalogue, channel="channel two") == ["v3"]
    today = datetime.now(UTC).date()
    assert chosen(catalogue, older_than=today - timedelta(days=1)) == []
    assert chosen(catalogue, older_than=today + timedelta(days=2), model="large") == ["v3"]
    assert chosen(catalogue, model="small", channel="Channel Two") == []
    with pytest.raises(UnknownSource, match="Channel One"):
        chosen(catalogue, channel="nobody")
    (one,) = catalogue.run(transcripts.choose, Wanted(model="large"))
    assert (one.channel, one.seconds, one.version) == ("Channel Two", 2.0, 1)


def test_the_pointer_moves_and_rows_stay(catalogue: Database) -> None:
    video = published(catalogue, spoken("first"), Video("v1"))
    catalogue.run(leases.claim, [video.id], OWNER, 60, only_due=False)
    catalogue.run(
        publishing.publish, video.id, OWNER, "b" * 64, spoken("second"), {"sentences": [], "entities": []}, {}
    )
    assert [hit.text for hit in catalogue.run(search.search, Question("second"))] == ["second"]
    assert catalogue.run(transcripts.make_current, video.id, 1)
    assert not catalogue.run(transcripts.make_current, video.id, 1)
    assert catalogue.run(search.search, Question("second")) == []
    assert [hit.text for hit in catalogue.run(search.search, Question("first"))] == ["first"]
    assert [row.version for row in catalogue.run(transcripts.versions, video.id)] == [1, 2]
    assert catalogue.run(transcripts.transcript_of, video.id, 2)[2].text == "second"
    for wrong in (video.id, video.id + 1):
        with pytest.raises(UnknownVideo):
            catalogue.run(transcripts.make_current, wrong, 3)


def test_a_stretch_in_another_language_keeps_it_and_is_found_by_its_rules(catalogue: Database) -> None:
    transcript = spoken("the houses and the gardens")
    german = Segment(3.0, 4.0, "zwei Häuser", words=[Word("zwei", 3.0, 3.4), Word("Häuser", 3.5, 4.0)], language="de")
    transcript.segments.append(german)
    video = published(catalogue, transcript, Video("v1"))
    assert [each.language for each in catalogue.run(transcripts.transcript_of, video.id)[2].segments] == [None, "de"]
    assert [hit.text for hit in catalogue.run(search.search, Question("Haus"))] == ["zwei Häuser"]
    assert [hit.text for hit in catalogue.run(search.search, Question("house"))] == ["the houses and the gardens"]
    assert [hit.text for hit in catalogue.run(search.search, Question("Haus", language="de"))] == ["zwei Häuser"]


def test_the_usual_language_of_a_source_is_that_of_most_of_it(catalogue: Database) -> None:
    def usual(video_pk: int) -> str | None:
        return catalogue.run(transcripts.usual_language, video_pk)

    other = Listed(source_id="UC2", url="https://www.youtube.com/@two", title="Channel Two")
    published(catalogue, spoken("one", language="fr"), Video("x1"), other)
    new = published(catalogue, spoken("court", language="pt"), Video("new"))
    for number in range(2):
        published(catalogue, spoken("bonjour", language="fr"), Video(f"v{number}"))
    assert usual(new.id) is None  # two are no habit
    published(catalogue, spoken("bonjour", language="fr"), Video("v2"))
    assert usual(new.id) == "fr"
    published(catalogue, spoken("hallo", language="de"), Video("v3"))
    assert usual(new.id) is None
    published(catalogue, spoken("bonjour", language="fr"), Video("v4"))
    assert usual(new.id) == "fr"
    published(catalogue, Transcript("und", 2.0, [], [], {}, no_speech=True), Video("v5"))
    assert usual(new.id) == "fr"
