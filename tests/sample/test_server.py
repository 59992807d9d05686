"""The sample channel as a web site: what HTTP promises, and what yt-dlp makes of it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import yt_dlp

from channelscribe.sample import world
from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from channelscribe.sample.web import byte_range

EPISODE = world.episode("night-train")
MEDIA = f"/media/{EPISODE.media}"
SIZE = EPISODE.path.stat().st_size


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer(extra={"/media/broken.mp3": b"not audio"}) as running:
        yield running


def ask(server: SampleServer, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def quiet_yt_dlp(**options: object) -> yt_dlp.YoutubeDL:
    return yt_dlp.YoutubeDL({"quiet": True, "no_warnings": True, "noprogress": True, **options})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-500", (0, 100)),
        (None, None),
        ("bytes=-", None),
        ("bytes=9-3", None),
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
    ],
)
def test_a_range_header_is_read_as_the_rfc_says(header: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0"])
def test_a_range_outside_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="bytes="):
        byte_range(header, 100)


def test_a_whole_file(server: SampleServer) -> None:
    response, body = ask(server, MEDIA)
    assert response.status == 200
    assert body == EPISODE.path.read_bytes()
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Last-Modified"]


def test_a_part_of_a_file(server: SampleServer) -> None:
    response, body = ask(server, MEDIA, Range="bytes=1000-1999")
    assert response.status == 206
    assert response.headers["Content-Range"] == f"bytes 1000-1999/{SIZE}"
    assert body == EPISODE.path.read_bytes()[1000:2000]


def test_a_part_that_is_not_there(server: SampleServer) -> None:
    response, body = ask(server, MEDIA, Range=f"bytes={SIZE}-")
    assert (response.status, body) == (416, b"")
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"


def test_a_part_of_an_older_version_becomes_the_whole(server: SampleServer) -> None:
    response, body = ask(server, MEDIA, Range="bytes=10-", If_Range='"another"')
    assert (response.status, len(body)) == (200, SIZE)


def test_head_says_the_size_and_sends_nothing(server: SampleServer) -> None:
    response, body = ask(server, MEDIA, "HEAD")
    assert (response.status, response.headers["Content-Length"], body) == (200, str(SIZE), b"")
    assert server.media_requests == []


def test_an_unchanged_file_is_not_sent_again(server: SampleServer) -> None:
    etag = ask(server, MEDIA)[0].headers["ETag"]
    response, body = ask(server, MEDIA, If_None_Match=etag)
    assert (response.status, body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/media/none.mp3", "/media/../channel.json", "/media/%2e%2e/channel.json", "/media//etc/passwd", "/media/", "/"],
)
def test_nothing_else_is_served(server: SampleServer, path: str) -> None:
    assert ask(server, path)[0].status == 404


def test_requests_are_remembered(server: SampleServer) -> None:
    ask(server, MEDIA, Range="bytes=0-99")
    ask(server, "/none")
    first, second = server.requests
    assert (first.method, first.path, first.range, first.status, first.bytes_sent) == (
        "GET",
        MEDIA,
        "bytes=0-99",
        206,
        100,
    )
    assert second.status == 404
    assert server.media_requests == [first]


def test_extra_paths_may_be_bytes_or_a_failure() -> None:
    with SampleServer(
        extra={"/media/broken.mp3": b"not audio", "/busy": lambda handler: handler.send_error(503)}
    ) as server:
        assert ask(server, "/media/broken.mp3")[1] == b"not audio"
        assert ask(server, "/busy")[0].status == 503
        assert [request.status for request in server.requests] == [200, 503]


@pytest.mark.slow
def test_yt_dlp_lists_the_feed_without_touching_media(server: SampleServer) -> None:
    with quiet_yt_dlp(extract_flat=True) as yt:
        listed = yt.extract_info(server.feed_url, download=False)
    assert listed["title"] == world.channel().title
    newest_first = list(reversed(world.episodes()))
    assert [entry["title"] for entry in listed["entries"]] == [episode.title for episode in newest_first]
    assert [entry["duration"] for entry in listed["entries"]] == [round(episode.duration) for episode in newest_first]
    assert server.media_requests == []


def test_yt_dlp_sees_each_episode(server: SampleServer) -> None:
    with quiet_yt_dlp() as yt:
        entries = yt.extract_info(server.feed_url, download=False)["entries"]
    seen = {(entry["id"], entry["title"], entry["duration"], entry["timestamp"]) for entry in entries}
    assert seen == {
        (episode.id, episode.title, round(episode.duration), int(episode.published.timestamp()))
        for episode in world.episodes()
    }
    assert all(entry["url"].startswith(f"{server.url}/media/") for entry in entries)


def test_yt_dlp_goes_on_with_half_a_download(server: SampleServer, tmp_path: Path) -> None:
    content = EPISODE.path.read_bytes()
    (tmp_path / f"{EPISODE.id}.mp3.part").write_bytes(content[:100_000])
    server.items = [item for item in sample_items() if item.id == EPISODE.id]
    with quiet_yt_dlp(outtmpl=str(tmp_path / "%(id)s.%(ext)s")) as yt:
        yt.download([server.feed_url])
    assert (tmp_path / f"{EPISODE.id}.mp3").read_bytes() == content
    assert server.requests[-1].range == "bytes=100000-"
    assert server.requests[-1].bytes_sent == SIZE - 100_000


@pytest.mark.slow
def test_yt_dlp_finds_nothing_on_a_plain_page(server: SampleServer) -> None:
    with quiet_yt_dlp() as yt, pytest.raises(yt_dlp.DownloadError, match="Unsupported URL"):
        yt.extract_info(f"{server.url}/about.html", download=False)


def test_a_connection_that_will_be_closed_says_so() -> None:
    """A client that is not told sends its next request into the closing connection, and is cut off now and then."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/about.html")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with SampleServer(extra={"/go": answer}) as server:
        assert ask(server, "/go")[0].headers["Connection"] == "close"
