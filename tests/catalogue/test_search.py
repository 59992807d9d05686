"""Search: what it finds, how it filters, and that nothing a person types breaks it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channelscribe.catalogue import Catalogue, Hit
from channelscribe.catalogue.search import url_at
from channelscribe.text.names import entity_key
from tests.catalogue.conftest import NewDatabase
from tests.catalogue.records import OWNER, Listed, Video, published, spoken


@pytest.fixture(scope="module")
def library(new_database: NewDatabase) -> Catalogue:
    """Three videos: two in English (one of another channel and day), one in German."""
    catalogue = Catalogue(new_database())
    published(
        catalogue,
        spoken("The lighthouse keeper was running home", "Nobody saw Ada Lovelace"),
        Video("en1", published=date(2024, 1, 1)),
    )
    other = Listed(url="https://example.org/feed", title="Second Feed", source_id="feed-2", site="generic")
    published(
        catalogue,
        spoken("Lighthouses everywhere", speaker="S1"),
        Video("en2", published=date(2023, 1, 1), site="generic", url="https://example.org/2.mp3"),
        other,
    )
    published(catalogue, spoken("Der Leuchtturmwärter läuft nach Hause", language="de"), Video("de1"))
    video = catalogue.find_videos("en1")[0]
    catalogue.claim([video.id], OWNER, 60, only_due=False)
    name = {"text": "Ada Lovelace", "key": "ada lovelace", "label": "PERSON", "start_char": 50, "end_char": 62}
    reading = {"entities": [{**name, "start": 3.0, "end": 4.0, "speaker": "S0"}]}
    transcript = spoken("The lighthouse keeper was running home", "Nobody saw Ada Lovelace")
    catalogue.publish(video.id, OWNER, "with names", transcript, reading, {})
    return catalogue


def videos(hits: list[Hit]) -> list[str]:
    return [hit.video for hit in hits]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("lighthouse", {"en1", "en2"}),
        ("run", {"en1"}),
        ('"lighthouse keeper"', {"en1"}),
        ("lighthouse -keeper", {"en2"}),
        ("LEUCHTTURMWÄRTER", {"de1"}),
        ("laufen", set()),
        ("leuchtturmwärter or everywhere", {"de1", "en2"}),
        ("the", set()),
        ("", set()),
        ("   ", set()),
    ],
)
def test_queries(library: Catalogue, query: str, found: set[str]) -> None:
    assert set(videos(library.search(query))) == found


def test_a_hit_says_where_and_when(library: Catalogue) -> None:
    (hit,) = library.search("everywhere")
    assert (hit.title, hit.speaker, hit.start, hit.end) == ("A title", "S1", 0.0, 2.0)
    assert hit.highlighted == "Lighthouses **everywhere**"
    assert hit.url == "https://example.org/2.mp3#t=0"
    (hit,) = library.search("nobody")
    assert hit.url == "https://www.youtube.com/watch?v=en1&t=2s"


def test_filters(library: Catalogue) -> None:
    for channel in ("second feed", "FEED-2", "generic:feed-2", "https://example.org/feed"):
        assert videos(library.search("lighthouse", channel=channel)) == ["en2"]
    assert videos(library.search("lighthouse", speaker="S1")) == ["en2"]
    assert videos(library.search("lighthouse", since=date(2023, 6, 1))) == ["en1"]
    assert videos(library.search("nobody", entity="Ada  LOVELACE")) == ["en1"]
    assert videos(library.search("lighthouse", entity="Ada Lovelace")) == []
    assert [hit.text for hit in library.search("", entity="ada lovelace")] == ["Nobody saw Ada Lovelace"]
    assert len(library.search("lighthouse", limit=1)) == 1
    assert library.search("lighthouse", channel="nobody's") == []


def test_only_current_transcripts_are_searched(library: Catalogue) -> None:
    # en1 was published twice with the same words
    assert videos(library.search("keeper")) == ["en1"]


def test_names_are_counted(library: Catalogue) -> None:
    (count,) = library.entities()
    assert (count.text, count.key, count.label, count.mentions, count.videos) == (
        "Ada Lovelace", "ada lovelace", "PERSON", 1, 1,
    )  # fmt: skip
    assert library.entities(label="GPE") == library.entities(channel="feed-2") == []


def named(catalogue: Catalogue, video: str, source: Listed, *names: str) -> None:
    """A video of one segment in which these places are named."""
    text, entities = " ".join(names), []
    for name in names:
        start = text.index(name)
        place = {"start_char": start, "end_char": start + len(name), "start": 0.0, "end": 2.0, "speaker": "S0"}
        entities.append({"text": name, "key": entity_key(name), "label": "GPE", **place})
    published(catalogue, spoken(text), Video(video, site=source.site, url=f"https://example.org/{video}"), source)
    pk = next(row.id for row in catalogue.find_videos(video))
    catalogue.claim([pk], OWNER, 60, only_due=False)
    catalogue.publish(pk, OWNER, f"names of {video}", spoken(text), {"entities": entities}, {})


def test_spellings_of_a_name_count_together_within_a_channel(catalogue: Catalogue) -> None:
    one, other = (
        Listed(url=f"https://example.org/{n}", title=f"Feed {n}", source_id=f"f{n}", site="generic") for n in "12"
    )
    named(catalogue, "a", one, *["Lisbon"] * 12, "Lisbon's")
    named(catalogue, "b", one, "LISBAN", "Porto")
    named(catalogue, "c", other, "Lisban")
    found = {(e.text, e.key): (e.mentions, e.videos) for e in catalogue.entities(channel="Feed 1")}
    assert found == {("Lisbon", "lisbon"): (14, 2), ("Porto", "porto"): (1, 1)}
    # the other channel has its own count, in which nothing is far more frequent
    assert [(e.text, e.mentions) for e in catalogue.entities(channel="Feed 2")] == [("Lisban", 1)]
    everywhere = {(e.key, e.mentions, e.videos) for e in catalogue.entities()}
    assert everywhere == {("lisbon", 14, 2), ("porto", 1, 1), ("lisban", 1, 1)}
    for entity in ("Lisbon", "lisban", "the Lisbon's"):
        assert set(videos(catalogue.search("", entity=entity, channel="Feed 1"))) == {"a", "b"}
    assert videos(catalogue.search("", entity="porto")) == ["b"]


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec=None), max_size=80) | st.text("-\"' oab&|!()<>:*\\", max_size=200))
@example("\x00")
@example("x" * 100_000)
@example("ж" * 5000)
@example('"' * 999)
@example("-" * 50 + "(((&|!<->:*%s %(x)s :name \\ ' ; --")
@example('or or or -or "or')
@example("-lighthouse")
def test_nothing_that_is_typed_raises(library: Catalogue, query: str) -> None:
    library.search(query)
    library.search("light", channel=query, speaker=query, entity=query)


@pytest.mark.parametrize(
    ("site", "url", "at"),
    [
        ("youtube", "https://www.youtube.com/watch?v=x", "https://www.youtube.com/watch?v=x&t=83s"),
        ("youtube", "https://www.youtube.com/watch?v=x&t=5s", "https://www.youtube.com/watch?v=x&t=83s"),
        ("youtube", "https://youtu.be/x", "https://youtu.be/x?t=83s"),
        ("vimeo", "https://vimeo.com/1", "https://vimeo.com/1#t=83"),
        ("generic", "https://h/a.mp3?x=1#old", "https://h/a.mp3?x=1#t=83"),
    ],
)
def test_urls_open_at_the_second(site: str, url: str, at: str) -> None:
    assert url_at(site, url, 83.9) == at
