"""Suggestions of who a voice may be: never more than that."""

from __future__ import annotations

import pytest

from channelscribe.catalogue import voices
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.voice_names import introduced, names_in_title, suggestions
from tests.catalogue.records import Video, published
from tests.catalogue.test_voices import ADA, BOB, _heard, _said


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hello, I'm Ada Lovelace, and this is a talk.", "Ada Lovelace"),
        ("Welcome. My name is Ada.", "Ada"),
        ("I am very glad that Ada is here.", None),
        ("i'm glad. This is Ludwig van Beethoven speaking", "Ludwig van Beethoven"),
        ("Ich bin Anna, hallo", "Anna"),
        ("Im Mai", None),
    ],
)
def test_what_people_say_of_themselves(text: str, name: str | None) -> None:
    assert introduced(text) == name


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("#12: A talk with Grace Hopper", ["Grace Hopper"]),
        ("Ada Lovelace | The Numbers", ["Ada Lovelace", "The Numbers"]),
        ("two views of a comet", []),
        ("The night – Ada Lovelace", ["Ada Lovelace"]),
    ],
)
def test_names_in_titles(title: str, names: list[str]) -> None:
    assert names_in_title(title) == names


def _publish(catalogue: Database, video: str, title: str, people: str, texts: dict[str, str], **who: str) -> None:
    pk = published(catalogue, _said(**texts), Video(video, title), heard=_heard(**who)).id
    with catalogue.session() as session:
        execute(session, "UPDATE video SET about = :about WHERE id = :pk", pk=pk, about=f'{{"people": ["{people}"]}}')


def test_people_titles_and_introductions(catalogue: Database) -> None:
    """Who is in the feed for every video is the voice of every one; a guest is who comes and goes with the name."""
    _publish(catalogue, "v1", "Bread", "Ada Lovelace (host)", {"S0": "good day"}, S0=ADA)
    guest = {"S0": "hello", "S1": "Thanks, I'm Bob Brown and I bake"}
    _publish(catalogue, "v2", "Cake with Bob Brown", "Ada Lovelace (host)", guest, S0=ADA, S1=BOB)
    with catalogue.session() as session:
        known = voices.listed(session)
        found = suggestions(session, known, known)
    ada, bob = (next(v.number for v in known if v.videos == count) for count in (2, 1))
    assert (found[ada][0].name, found[ada][0].why, found[ada][0].times) == ("Ada Lovelace", "person", 2)
    assert [(each.name, each.why, each.times) for each in found[bob]] == [("Bob Brown", "said", 1)]
    assert all(voice.name is None for voice in known)
    catalogue.run(voices.name, str(bob), "Bob Brown", "me")
    with catalogue.session() as session:
        known = voices.listed(session)
        found = suggestions(session, known, known)
    assert "Bob Brown" not in {each.name for each in found[ada]}
