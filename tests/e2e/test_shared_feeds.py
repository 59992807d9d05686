"""The feeds of ../shared/feeds, each through a whole sync with the outcome that its README calls right."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.catalogue import listings, transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.tables import VideoRow
from channelscribe.sample import world
from tests.e2e.syncing import Syncs

SHARED = Path(__file__).parents[3] / "shared" / "feeds"
SPEAKERS = {  # each says "Good morning, this is NAME" in its first three seconds
    "jfk": ("night-train", "Victor Rossi"),
    "austen": ("cold-evening-soup", "Julia Brooks"),
    "lj": ("two-views-of-a-comet", "Helena Brooks"),
    "sample": ("station-cafe", "Robert Tanaka"),
    "ami": ("station-cafe", "Robert Tanaka"),
}

pytestmark = [
    pytest.mark.long, pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900),
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/feeds beside the repository"),
]  # fmt: skip


@cache
def clip(name: str) -> bytes:
    """Three seconds and a bit; those of `ami` are other bytes than those of `sample`."""
    episode, _ = SPEAKERS[name]
    seconds = "3.2" if name == "ami" else "3.0"
    command = [ffmpeg_path(), "-v", "error", "-i", world.episode(episode).path, "-t", seconds, "-f", "mp3", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


class Publisher(ThreadingHTTPServer):
    """Serves the feeds as /f/NAME.xml on all of 127/8, and media with the troubles that their paths name."""

    def __init__(self) -> None:
        super().__init__(("", 0), Answers)  # the feeds name 127.0.0.3 and 127.0.0.4
        self.port = self.server_address[1]
        self.asked: list[tuple[str, str, str | None]] = []
        self.times: Counter[str] = Counter()
        self.healed = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/f/{name}.xml"


class Answers(BaseHTTPRequestHandler):
    server: Publisher

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        host = (self.headers["Host"] or "").partition(":")[0]
        path = self.path.partition("?")[0]
        self.server.asked.append((host, self.path, self.headers["Authorization"]))
        self.server.times[path] += 1
        kind, *rest = path.strip("/").split("/")
        name = rest[-1].partition(".")[0] if rest else ""
        if kind == "f":
            text = (SHARED / rest[0]).read_bytes()
            base = f"http://{host}:{self.server.port}".encode()
            text = text.replace(b"{BASE}", base).replace(b"{PORT}", str(self.server.port).encode())
            if name == "authfeed" and not self.headers["Authorization"]:
                return self.say(401, b"", {"WWW-Authenticate": 'Basic realm="feed"'})
            return self.say(200, text, {"Content-Type": "application/rss+xml"})
        if self.server.healed and name not in SPEAKERS:
            return self.sound("jfk")
        if kind == "htmlpage":
            return self.say(200, b"<!doctype html><title>Sorry</title><p>Words.", {"Content-Type": "text/html"})
        if kind == "empty":
            return self.say(200, b"", {"Content-Type": "audio/mpeg"})
        if kind == "gone":
            return self.say(410, b"")
        if kind == "auth" and not self.headers["Authorization"]:
            return self.say(401, b"", {"WWW-Authenticate": 'Basic realm="media"'})
        if kind == "e503" and self.server.times[path] <= int(rest[0]):
            return self.say(503, b"", {"Retry-After": "0"})
        if name in SPEAKERS:
            first = kind in ("cut", "cutnr") and self.command == "GET" and self.server.times[f"{path} cut"] == 0
            if first or (kind == "cutalways" and not self.server.healed):
                self.server.times[f"{path} cut"] += 1
                return self.sound(name, cut=int(rest[0]), ranges=kind == "cut")
            return self.sound(name, ranges=kind not in ("cutnr", "norange"))
        return self.say(404, b"")

    def sound(self, name: str, *, cut: int | None = None, ranges: bool = True) -> None:
        sound, start = clip(name), 0
        asked = self.headers["Range"] if ranges else None
        if asked:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", "audio/mpeg")
        self.send_header("Content-Length", str(len(sound) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(sound) - 1}/{len(sound)}")
        if ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(sound[start : start + cut] if cut is not None else sound[start:])

    def say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    server = Publisher()
    yield server
    server.shutdown()
    server.server_close()


def rows_of(catalogue: Database, url: str) -> list[VideoRow]:
    (source,) = (each for each in catalogue.run(videos.sources) if each.url == url)
    return list(catalogue.run(videos.list_videos, source.id))


def said(catalogue: Database, url: str) -> dict[str, str]:
    """{title: what is said} of what is published."""
    return {
        row.title: catalogue.run(transcripts.transcript_of, row.id)[2].text
        for row in rows_of(catalogue, url)
        if row.state == "published"
    }


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("badentity", {"Café talk", "fine"}),
        ("bareamp", {"Q & A", "fine"}),
        ("latin1", {"Grüße aus Köln - naja"}),
        ("sameguid", {"A", "B", "C"}),
        ("paged", {"new 4", "new 3", "old 2", "old 1"}),
        ("noencl", {"image first", "media:content only", "link is media", "relative enclosure", "proto-relative"}),
        ("cdata", {"Ampersand & tags in title", "Whitespace title", "AT&T double escaped", "Only itunes title"}),
    ],
)  # fmt: skip
def test_what_is_listed_is_published(
    sync: Syncs, publisher: Publisher, catalogue: Database, name: str, titles: set[str]
) -> None:
    told = sync(publisher.url(name))
    assert (told.get("message"), told["listed"], told["published"], told["failures"]) == (
        None, len(titles), len(titles), [],
    ), told  # fmt: skip
    found = said(catalogue, publisher.url(name))
    assert set(found) == titles
    assert all("morning" in text for text in found.values())


def test_two_shows_with_the_same_guids(sync: Syncs, publisher: Publisher, catalogue: Database) -> None:
    one, two = publisher.url("short-a"), publisher.url("short-b", "127.0.0.3")
    assert [sync(url)["published"] for url in (one, two, one)] == [2, 2, 0]
    texts = {**said(catalogue, one), **said(catalogue, two)}
    names = {title: [name for _, name in SPEAKERS.values() if name.split()[0] in text] for title, text in texts.items()}
    assert {title: found[:1] for title, found in names.items()} == {
        "Show A S01E01 (jfk)": ["Victor Rossi"], "Show A trailer": ["Julia Brooks"],
        "Show B S01E01 (lj)": ["Helena Brooks"], "Show B trailer": ["Robert Tanaka"],
    }, texts  # fmt: skip


def test_a_show_that_moved_is_not_transcribed_twice(sync: Syncs, publisher: Publisher) -> None:
    assert sync(publisher.url("hm"))["published"] == 3
    moved = sync(publisher.url("hm-second", "127.0.0.3"))
    assert (moved["listed"], moved["new"], moved["published"]) == (3, 0, 0), moved


def test_a_sign_in_goes_along(sync: Syncs, publisher: Publisher, catalogue: Database, data_dir: Path) -> None:
    url = f"http://me:s%40cret-word@127.0.0.1:{publisher.port}/f/authfeed.xml"
    told = sync(catalogue.run(listings.keep_address, url))
    assert told["published"] == 1, told
    assert {secret for _, path, secret in publisher.asked if path.startswith("/auth")} == {"Basic bWU6c0BjcmV0LXdvcmQ="}
    assert "cret-word" not in str(told)
    for log in (data_dir / "logs").iterdir():
        assert b"cret-word" not in log.read_bytes(), log


def test_trouble_of_the_first_day_condemns_nobody(sync: Syncs, publisher: Publisher, catalogue: Database) -> None:
    told = sync(publisher.url("trouble"))
    states = {row.title: (row.state, row.reason) for row in rows_of(catalogue, publisher.url("trouble"))}
    fine = {"cut once with range", "cut once no range", "503 twice", "norange ok"}
    assert {title for title, (state, _) in states.items() if state == "published"} == fine, (states, told)
    assert {state for state, _ in states.values()} == {"published", "retrying"}, states
    assert all(failure["remedy"] for failure in told["failures"])
    publisher.healed = True
    again = sync(publisher.url("trouble"), again=["all"])
    states = {row.title: row.state for row in rows_of(catalogue, publisher.url("trouble"))}
    nowhere = {"no such host", "refused"}
    assert {title for title, state in states.items() if state != "published"} == nowhere, (states, again)
