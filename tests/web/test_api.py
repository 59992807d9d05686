"""The read API: what it answers, that its OpenAPI is true, and what it says of what is wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from channelscribe.catalogue import corrections
from channelscribe.catalogue.connection import execute
from channelscribe.store import MediaStore, layout
from channelscribe.transcript import FILE_FORMATS
from channelscribe.web import models, records
from channelscribe.web.answers import lines
from channelscribe.web.api import EXPORTS_AT_ONCE
from channelscribe.web.app import Room
from channelscribe.web.site import build
from tests.catalogue.records import SITE
from tests.web.conftest import VIDEO, Library, client_of, publish, room_on, said, two_videos, wave

V = f"/api/v1/videos/{SITE}/{VIDEO}"


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_each_example_of_the_openapi_document_is_answered_as_it_says(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    shapes = {name: getattr(models, name) for name in models.__dict__ if name in document["components"]["schemas"]}
    asked = 0
    for path, method, operation in operations(document):
        if method != "get" or path.endswith("/events"):
            continue
        query: dict[str, Any] = {}
        for each in operation.get("parameters", []):
            examples = each["schema"].get("examples") or each.get("examples") or each.get("example")
            if each["in"] == "path":
                path = path.replace("{" + each["name"] + "}", str(examples[0]))
            elif examples and each["name"] not in ("t",):
                query[each["name"]] = examples[0]
        for given in ({}, query) if not any(each.get("required") and each["in"] == "query" for each in
                                            operation.get("parameters", [])) else (query,):  # fmt: skip
            answer = client.get(path, params=given)
            assert answer.status_code == 200, (path, given, answer.text[:500])
            content = operation["responses"]["200"]["content"]
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind in content or kind == "audio/wav", path
            if reference := content.get("application/json", {}).get("schema", {}).get("$ref"):
                shapes[reference.rpartition("/")[2]].model_validate_json(answer.content)
            asked += 1
    assert asked >= 20


def test_the_transcript_is_that_of_the_library_and_never_sent_twice(client: TestClient, room: Room) -> None:
    answer = client.get(f"{V}/transcript")
    told = answer.json()
    spoken = said()
    assert [segment["text"] for segment in told["segments"]] == [segment.text for segment in spoken.segments]
    first = told["segments"][0]["words"][1]
    assert (first["word"], first["start"]) == ("right,", spoken.segments[0].words[1].start)
    assert {each["label"] for each in told["speakers"]} == {"S0", "S1"}
    again = client.get(f"{V}/transcript", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    old = client.get(f"{V}/transcript", params={"version": 1, "words": False})
    assert old.headers["etag"] != answer.headers["etag"]
    assert old.json()["segments"][-1]["text"] == "An older ending." and "words" not in old.json()["segments"][0]


def test_the_times_of_words_point_into_the_text(client: TestClient) -> None:
    told = client.get(f"{V}/words").json()["words"]
    for segment, numbers in zip(said().segments, told, strict=True):
        place = begins = 0
        for word, at in zip(segment.words, range(0, len(numbers), 4), strict=True):
            gap, length, wait, duration = numbers[at : at + 4]
            place, begins = place + gap, begins + wait
            assert segment.text[place : place + length] == word.text
            assert abs(begins / 1000 - word.start) < 0.002 and abs(duration / 1000 - (word.end - word.start)) < 0.002
            place += length


class _Row:
    def __init__(self, text: str, *words: str) -> None:
        self.text, self.word_texts = text, words
        self.word_starts, self.word_ends = [float(n) for n in range(len(words))], [n + 0.5 for n in range(len(words))]


def test_offsets_are_those_of_javascript() -> None:
    (numbers,) = records.timing([_Row(" 𝄞𝄞 a 東京", "𝄞𝄞", "a", "gone", "東", "京")])
    assert numbers == [0, 4, 0, 500, 1, 1, 1000, 500, 1, 1, 2000, 500, 0, 1, 1000, 500]


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_files_in_every_format(client: TestClient, name: str) -> None:
    answer = client.get(f"{V}/files/{name}", headers={"Accept-Encoding": "gzip"})
    assert "elephants" in answer.text and answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-disposition"] == f'inline; filename="{SITE}-{VIDEO}.{name}"'
    tag = {"If-None-Match": answer.headers["etag"]}
    assert client.get(f"{V}/files/{name}", headers=tag).status_code == 304


def test_versions_and_what_changed(client: TestClient) -> None:
    told = client.get(f"{V}/versions").json()
    assert [(each["version"], each["current"], each["model"]) for each in told["versions"]] == [
        (1, False, "tiny"),
        (2, True, "tiny"),
    ]
    found = client.get(f"{V}/diff").json()
    assert (found["old"], found["new"]) == (1, 2)
    assert found["changes"][-1]["old"].endswith("older ending.")
    alone = client.get(f"/api/v1/videos/{SITE}/second_video/diff")
    assert (alone.status_code, alone.json()["reason"]) == (400, "usage")


def test_videos_by_pages_and_filters(client: TestClient) -> None:
    first = client.get("/api/v1/videos", params={"limit": 1}).json()
    second = client.get("/api/v1/videos", params={"limit": 1, "after": first["next"]}).json()
    assert [first["videos"][0]["video"], second["videos"][0]["video"]] == ["second_video", VIDEO]
    assert second["next"] is None
    for query, found in (
        ({"text": "ZOO"}, [VIDEO]),
        ({"text": "%"}, []),
        ({"since": "2024-05-01"}, ["second_video"]),
        ({"state": "waiting"}, []),
        ({"source": "channel one", "language": "en"}, ["second_video", VIDEO]),
    ):
        told = client.get("/api/v1/videos", params=query).json()["videos"]
        assert [each["video"] for each in told] == found, query


def test_search_as_the_command_line_with_counts(client: TestClient) -> None:
    told = client.get("/api/v1/search", params={"q": "haarlem", "limit": 3, "facets": True}).json()
    assert len(told["hits"]) == 3 and told["hits"][0]["highlighted"].startswith("In **Haarlem** they")
    assert told["hits"][0]["channel"] == "Channel One"
    counts = told["facets"]
    assert counts["hits"][""] == sum(counts["speaker"].values()) == 13 and counts["videos"] == {"": 2}
    assert (
        counts["language"] == {"en": 13} and counts["year"] == {"2024": 13} and counts["channel"] == {"Channel One": 13}
    )
    assert counts["entity"] == {"Haarlem": 13}
    page = client.get("/api/v1/search", params={"q": "haarlem", "limit": 3, "after": told["next"]}).json()
    assert not {hit["start"] for hit in page["hits"] if hit["video"] == VIDEO} & {
        hit["start"] for hit in told["hits"] if hit["video"] == VIDEO
    }
    nobody = client.get("/api/v1/search", params={"q": "haarlem", "speaker": "nobody", "facets": True}).json()
    assert nobody["hits"] == [] and nobody["facets"]["hits"] == {"": 0}


def test_a_channel_streams_as_lines(client: TestClient, room: Room) -> None:
    answer = client.get("/api/v1/segments.jsonl", params={"channel": "Channel One"})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert len(rows) == 48 + 6 and rows[0]["words"][0]["word"] == "All"
    for _ in range(EXPORTS_AT_ONCE + 2):  # what is not read to its end gives its place back
        with client.stream("GET", "/api/v1/segments.jsonl", params={"channel": "Channel One"}) as begun:
            assert begun.status_code == 200
        unknown = client.get("/api/v1/segments.jsonl", params={"channel": "nobody"})
        assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown_source")


def test_an_export_ends_with_its_reader() -> None:
    """Its generator holds a connection to the database, and the thread that ran it last keeps it alive."""
    ended: list[str] = []

    def made() -> Generator[bytes, None, None]:
        try:
            for _ in range(100_000):
                yield b"x" * 1000 + b"\n"
        finally:
            ended.append("lines")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await lines(Request(scope), made(), lambda: ended.append("place"))(scope, receive, send)

    with TestClient(app).stream("GET", "/") as begun:
        assert begun.status_code == 200 and not ended
    assert ended == ["lines", "place"]


@pytest.fixture(scope="module", params=["folder", "s3"])
def with_audio(
    library: Library, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TestClient:
    """A client of a room that is only listened to, in either store."""
    room = room_on(library.fill(two_videos), tmp_path_factory.mktemp("heard"))
    if request.param == "s3":
        bucket = request.getfixturevalue("new_bucket")()
        room.store = MediaStore(f"s3://{bucket}/x", request.getfixturevalue("s3"))
        room.store.put_bytes(wave(240.0), layout.archive_key(SITE, VIDEO, "wav"))
    return client_of(room)


@pytest.mark.parametrize(
    ("asked", "status", "told", "first", "length"),
    [
        (None, 200, None, 0, None),
        ("bytes=0-99", 206, "bytes 0-99/{size}", 0, 100),
        ("bytes=100-", 206, "bytes 100-{last}/{size}", 100, None),
        ("bytes=-50", 206, "bytes {tail}-{last}/{size}", -50, 50),
        ("bytes=0-0", 206, "bytes 0-0/{size}", 0, 1),
        ("bytes=0-99999999999999999", 206, "bytes 0-{last}/{size}", 0, None),
        ("bytes=5-2", 416, "bytes */{size}", 0, 0),
        ("bytes=99999999999-", 416, "bytes */{size}", 0, 0),
        ("bytes=-0", 416, "bytes */{size}", 0, 0),
        ("bytes=0-1,5-9", 200, None, 0, None),
        ("bytes=-", 200, None, 0, None),
        ("lines=0-5", 200, None, 0, None),
        ("bytes=0-" + "9" * 5000, 200, None, 0, None),
    ],
)
def test_audio_by_ranges(
    with_audio: TestClient, asked: str | None, status: int, told: str | None, first: int, length: int | None
) -> None:
    content = wave(240.0)
    size = len(content)
    answer = with_audio.get(f"{V}/audio", headers={"Range": asked} if asked else {})
    assert answer.status_code == status
    wanted = content[first:] if length is None else content[first:][:length]
    assert answer.content == wanted
    if told:
        assert answer.headers["content-range"] == told.format(size=size, last=size - 1, tail=size - 50)
    assert "content-encoding" not in answer.headers


def test_audio_that_is_gone_is_at_its_site(client: TestClient, room: Room) -> None:
    room.store.delete(layout.archive_key(SITE, VIDEO, "wav"))
    answer = client.get(f"{V}/audio", params={"t": 93.4})
    assert (answer.status_code, answer.json()["reason"]) == (410, "archive_gone")
    assert answer.json()["url"] == f"https://www.youtube.com/watch?v={VIDEO}&t=93s"


def test_presigned_addresses_of_a_bucket(room: Room, request: pytest.FixtureRequest) -> None:
    room.store = MediaStore(f"s3://{request.getfixturevalue('bucket')}/x", request.getfixturevalue("s3"))
    room.store.put_bytes(b"sound", layout.archive_key(SITE, VIDEO, "wav"))
    web = room.settings.web.model_copy(update={"presign": True})
    store = request.getfixturevalue("s3")
    room.settings = room.settings.model_copy(update={"web": web, "store": store})
    answer = client_of(room).get(f"{V}/audio")
    assert answer.status_code == 302 and answer.headers["location"].startswith(str(store.endpoint_url))
    assert f"media-src 'self' {store.endpoint_url};" in answer.headers["content-security-policy"]
    import httpx

    assert httpx.get(answer.headers["location"]).content == b"sound"


def test_problems_say_what_is_wrong_and_what_to_do(client: TestClient) -> None:
    for path, status, reason in (
        ("/api/v1/videos/youtube/nothing", 404, "unknown_video"),
        (f"{V}/transcript?version=9", 404, "unknown_video"),
        (f"{V}/files/docx", 400, "usage"),
        ("/api/v1/videos?limit=0", 400, "usage"),
        ("/api/v1/videos?state=lost", 400, "usage"),
        ("/api/v1/videos?source=nobody", 404, "unknown_source"),
        ("/api/v1/nothing", 404, "not_found"),
    ):
        answer = client.get(path)
        told = models.Problem.model_validate(answer.json())
        assert (answer.status_code, told.reason, told.status) == (status, reason, status), path
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_catalogue_that_is_away_is_told(room: Room) -> None:
    from channelscribe.catalogue.connection import Database

    room.database = Database("postgresql://nobody@127.0.0.1:1/x")
    answer = client_of(room).get("/api/v1/sources")
    assert (answer.status_code, answer.json()["reason"]) == (503, "catalogue_unreachable")


def test_taken_down_videos_are_not_there(client: TestClient, room: Room) -> None:
    gone = """UPDATE video SET taken_down_at = now(), state = 'excluded', title = '', description = NULL,
        lease_owner = NULL, lease_until = NULL, current_transcript_pk = NULL WHERE video_id = :id"""
    with room.database.session() as session:
        execute(session, gone, id=VIDEO)
    assert client.get(V).status_code == 404
    assert VIDEO not in client.get("/api/v1/videos").text


def test_gzip_only_where_it_is_understood(client: TestClient) -> None:
    packed = client.get(f"{V}/transcript", headers={"Accept-Encoding": "gzip"})
    plain = client.get(f"{V}/transcript", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.json() == plain.json() and len(gzip.compress(plain.content)) < len(plain.content)


def test_a_correction_is_another_answer(client: TestClient, room: Room) -> None:
    asked = [f"{V}/transcript", f"{V}/words", f"{V}/files/srt", f"/v/{SITE}/{VIDEO}"]
    before = {path: client.get(path) for path in asked}
    changes = room.database.run(corrections.correct, VIDEO, 3.0, "elephants", "Loxodon")
    room.database.run(corrections.record, changes, "Ada")
    for path, answer in before.items():
        after = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (path, after.status_code) == (path, 200) and after.content != answer.content
        assert path.endswith("words") or "Loxodon" in after.text
    found = client.get(f"{V}/diff?old=2&new=2").json()
    assert "Loxodon" in found["changes"][0]["new"] and "Loxodon" not in found["changes"][0]["old"]


def test_a_new_version_is_another_answer(client: TestClient, room: Room) -> None:
    before = client.get(f"{V}/transcript").headers["etag"]
    publish(room.database, VIDEO, said(60.0), title="Me at the zoo")
    assert client.get(f"{V}/transcript", headers={"If-None-Match": before}).status_code == 200


def test_what_is_corrected_is_another_answer_everywhere(client: TestClient, room: Room, tmp_path: Path) -> None:
    asked = [f"{V}/transcript", f"{V}/words", f"{V}/files/txt", f"/v/{SITE}/{VIDEO}"]
    before = {path: client.get(path) for path in asked}
    build(room, tmp_path / "site")
    page = tmp_path / "site" / "v" / SITE / VIDEO / "index.html"
    assert "Haarlem" in page.read_text(encoding="utf-8")
    # As `channelscribe correct` leaves the rows: other words, and a mark of this state of the corrections.
    changes = (
        """UPDATE segment SET text = replace(text, 'Haarlem', 'Harlem'),
        word_texts = array_replace(word_texts, 'Haarlem', 'Harlem')""",
        "UPDATE transcript SET corrected = 'a-digest'",
    )
    with room.database.session() as session:
        for change in changes:
            execute(session, change)
    for path, was in before.items():
        now = client.get(path, headers={"If-None-Match": was.headers["etag"]})
        assert now.status_code == 200 and now.content != was.content, path
        assert "Harlem" in now.text or path.endswith("/words")
    assert build(room, tmp_path / "site").written == 2
    assert "Harlem" in page.read_text(encoding="utf-8")
