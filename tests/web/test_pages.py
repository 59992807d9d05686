"""The pages without a browser: what they show, where they lead, that what sites say stays text."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from channelscribe.catalogue import voices
from channelscribe.speech.quality_gate import FLAGS
from channelscribe.web import pages
from channelscribe.web.app import Room
from channelscribe.web.site import build
from tests.catalogue.records import SITE
from tests.web.conftest import VIDEO, publish, publish_voices, said

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'


def test_home_names_the_sources(client: TestClient) -> None:
    page = client.get("/").text
    assert "Channel One" in page and "2 transcripts" in page and "Nothing runs now." in page
    assert 'href="/videos?source=' in page


def test_a_video_can_be_read(client: TestClient) -> None:
    page = client.get(f"/v/{SITE}/{VIDEO}").text
    assert '<span class="said" id="t=5" data-n="1">The cool thing about these guys' in page
    assert '<span class="said doubt" id="t=10" data-n="2" title="the recognizer was unsure of its words">' in page
    assert page.count('<section class="turn"') == 16
    assert f'src="/api/v1/videos/{SITE}/{VIDEO}/audio"' in page and "Haarlem" in page
    assert page.count('<rect class="s') >= 16 and "version 2 of 2" in page
    old = client.get(f"/v/{SITE}/{VIDEO}?version=1").text
    assert "An older ending." in old and "An older ending." not in page
    assert "An older ending." in client.get(f"/v/{SITE}/{VIDEO}/changes").text


def test_of_names_people_come_first_and_dates_that_say_nothing_are_left_out() -> None:
    named = [("last week", "DATE"), ("12", "CARDINAL"), ("May 2024", "DATE"), ("Haarlem", "GPE"), ("Ada", "PERSON")]
    found = pages._by_kind([{"name": name, "label": label} for name, label in named])
    shown = [(kind, [each["name"] for each in entities]) for kind, entities in found if entities]
    assert shown == [("People", ["Ada"]), ("Places", ["Haarlem"]), ("Dates", ["May 2024"])]


def test_a_voice_with_a_name_is_shown_by_it(client: TestClient, room: Room, tmp_path: Path) -> None:
    publish_voices(room.database, "heard")
    page, api = f"/v/{SITE}/heard", f"/api/v1/videos/{SITE}/heard"
    before = {path: client.get(path) for path in (page, f"{api}/transcript", f"{api}/files/vtt")}
    build(room, tmp_path / "site")
    room.database.run(voices.name, "heard/S0", "Ada Lovelace", "a test")
    for path, was in before.items():
        now = client.get(path, headers={"If-None-Match": was.headers["etag"]})
        assert "Ada Lovelace" in now.text and "Ada Lovelace" not in was.text, path
    told = client.get(f"{api}/transcript").json()
    assert {each["label"] for each in told["speakers"]} == {"Ada Lovelace", "S1"}
    assert told["segments"][0]["words"][0]["speaker"] == "Ada Lovelace"
    assert build(room, tmp_path / "site").written == 1
    static = tmp_path / "site" / "v" / SITE / "heard"
    assert all("Ada Lovelace" in (static / name).read_text() for name in ("index.html", "text.json", "transcript.vtt"))
    found = client.get("/api/v1/search", params={"q": "haarlem", "speaker": "Ada Lovelace", "facets": True}).json()
    assert {hit["speaker"] for hit in found["hits"]} == set(found["facets"]["speaker"]) == {"Ada Lovelace"}


def test_search_is_its_address(client: TestClient) -> None:
    page = client.get("/search", params={"q": "haarlem", "channel": "Channel One"}).text
    assert "<mark>Haarlem</mark>" in page and "13 passages in 2 episodes" in page
    assert f'href="/v/{SITE}/{VIDEO}#t=15"' in page
    assert "speaker=S0" in page and "entity=Haarlem" in page
    for nothing in ("nowhere", "the", "-", '"'):
        assert "No passage." in client.get("/search", params={"q": nothing}).text
    assert "is no day" in client.get("/search", params={"q": "a", "since": "then"}).text


@pytest.mark.parametrize(
    "path", ["/names", "/voices", "/watches", "/activity", "/activity?state=published", "/videos", "/login", "/search"]
)
def test_other_pages_are_there(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_what_is_not_there_is_told_as_a_page(client: TestClient) -> None:
    for path, status in (
        ("/nothing", 404),
        (f"/v/{SITE}/nothing", 404),
        ("/videos?after=x", 400),
        ("/static/../x", 404),
    ):
        answer = client.get(path)
        assert (answer.status_code, "<h1>" in answer.text) == (status, True), path


def test_what_sites_say_stays_text(client: TestClient, room: Room) -> None:
    publish(
        room.database, "bad", said(20.0, last=HOSTILE), title=HOSTILE, description=HOSTILE, url="javascript:alert(1)"
    )
    for path in ("/", "/videos", f"/v/{SITE}/bad", "/search?q=onerror", f"/search?q={HOSTILE}"):
        page = client.get(path).text
        assert "<img" not in page and "<script>" not in page and "javascript:" not in page, path
        assert ("{{7*7}}" in page) == (path != "/"), path


def test_every_page_forbids_what_is_inline(client: TestClient) -> None:
    for path in ("/", "/search", f"/v/{SITE}/{VIDEO}", "/login", "/nothing", "/api/v1/sources"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "<style" not in answer.text and " style=" not in answer.text and " onclick" not in answer.text


def test_doubts_in_words_are_those_of_the_quality_gate() -> None:
    assert pages.DOUBTS == FLAGS
