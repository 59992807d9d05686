"""Feeds are asked politely and followed to where they have gone: over HTTP, with what the catalogue remembers."""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest

from channelscribe.errors import NoMedia, SignInRequired, SourceBlocked, SourceError, SourceNotFound
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import polling
from channelscribe.sources.download import download
from channelscribe.sources.listing import list_source
from channelscribe.sources.spool import Listing

FEED = """<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"
  xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Show</title>{more}{items}</channel></rss>"""
ITEM = '<item><title>{name}</title><guid>{name}</guid><enclosure url="/m/{name}.mp3" type="audio/mpeg"/></item>'

Poll = Callable[..., Listing]


def feed(*names: str, more: str = "") -> bytes:
    return FEED.format(more=more, items="".join(ITEM.format(name=name) for name in names)).encode()


def answer(status: int, content: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return respond


@pytest.fixture
def poll(site: SampleServer, options: SourceOptions) -> Poll:
    """Lists /f, with what a catalogue would remember of the listing before."""

    def again(before: Listing | None = None, path: str = "/f", **more: Any) -> Listing:
        memory = {**before.memory, "kind": before.kind, "feed": before.feed} if before else {}
        return list_source(f"{site.url}{path}", options, memory=memory, **more)

    return again


def titles(listing: Listing) -> list[str]:
    return [video.title for video in listing.videos]


def statuses(site: SampleServer) -> list[tuple[str, int]]:
    return [(request.path, request.status) for request in site.requests]


def test_what_has_not_changed_costs_one_conditional_request_and_no_reading(
    site: SampleServer, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.extra["/f"] = feed("a", "b")
    first = poll()
    monkeypatch.setattr(polling, "read_feed", None)
    second = poll(first)
    assert second.unchanged and second.complete and second.memory == first.memory
    assert statuses(site) == [("/f", 200), ("/f", 304)]


def test_a_server_without_validators_is_known_by_its_bytes(
    site: SampleServer, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.extra["/f"] = answer(200, feed("a"))
    first = poll()
    read = polling.read_feed
    monkeypatch.setattr(polling, "read_feed", None)
    assert poll(first).unchanged
    monkeypatch.setattr(polling, "read_feed", read)
    site.extra["/f"] = answer(200, feed("b", "a"))
    assert titles(poll(first)) == ["b", "a"]


def test_another_choice_of_files_reads_it_anew(site: SampleServer, options: SourceOptions, poll: Poll) -> None:
    site.extra["/f"] = feed("a")
    first = poll()
    memory = {**first.memory, "kind": "feed"}
    other = list_source(f"{site.url}/f", options.model_copy(update={"quality": "best"}), memory=memory)
    assert not other.unchanged and titles(other) == ["a"]


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_packed(site: SampleServer, poll: Poll, coding: str, pack: Callable[[bytes], bytes]) -> None:
    site.extra["/f"] = answer(200, pack(feed("a")), Content_Encoding=coding)
    assert titles(poll()) == ["a"]


def test_what_unpacks_to_more_than_a_feed_can_be_is_refused(
    site: SampleServer, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "LARGEST_BYTES", 1 << 20)
    site.extra["/f"] = answer(200, gzip.compress(b"<rss>" + b" " * (2 << 20)), Content_Encoding="gzip")
    with pytest.raises(NoMedia, match="larger than 1 MB"):
        poll()


@pytest.mark.parametrize(("status", "told"), [(429, "4"), (503, "0")])
def test_a_moment_that_is_asked_for_is_given(
    site: SampleServer, poll: Poll, monkeypatch: pytest.MonkeyPatch, status: int, told: str
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(polling.time, "sleep", waited.append)
    answers = iter([answer(status, Retry_After=told), answer(200, feed("a"))])
    site.extra["/f"] = lambda request: next(answers)(request)
    assert titles(poll()) == ["a"]
    assert len(waited) == 1 and waited[0] <= int(told)


def test_a_longer_one_is_told(site: SampleServer, poll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling.time, "sleep", None)
    site.extra["/f"] = answer(429, Retry_After="300")
    with pytest.raises(SourceBlocked) as caught:
        poll()
    assert caught.value.not_before is not None
    assert 290 < (caught.value.not_before - datetime.now(UTC)).total_seconds() <= 300


def test_permanent_redirects_are_remembered_others_are_not(site: SampleServer, poll: Poll) -> None:
    site.extra |= {"/new": feed("a"), "/f": answer(301, Location="/mid"), "/mid": answer(308, Location="/new")}
    first = poll()
    assert first.memory["url"] == f"{site.url}/new"
    assert poll(first).unchanged
    assert statuses(site)[-1] == ("/new", 304)
    site.extra |= {"/f": answer(301, Location="/mid"), "/mid": answer(302, Location="/new")}
    assert poll().memory["url"] == f"{site.url}/mid"


def test_where_a_feed_went_it_may_be_no_more(site: SampleServer, poll: Poll) -> None:
    site.extra |= {"/new": feed("a"), "/f": answer(301, Location="/new")}
    first = poll()
    del site.extra["/new"]
    with pytest.raises(SourceNotFound):
        poll(first)
    site.extra["/f"] = feed("b")
    assert titles(poll(first)) == ["b"]


def test_a_feed_that_says_where_it_has_gone(site: SampleServer, poll: Poll) -> None:
    there = f"<itunes:new-feed-url>{site.url}/new</itunes:new-feed-url>"
    site.extra |= {"/f": feed("a", more=there), "/new": feed("b", "a", more=there)}
    first = poll()
    assert titles(first) == ["b", "a"] and first.memory["url"] == f"{site.url}/new"
    assert first.notes == [f"The feed has moved to {site.url}/new, which is asked from now on."]
    assert poll(first).unchanged and statuses(site)[-1] == ("/new", 304)
    site.extra["/new"] = b"<html>soon</html>"
    assert titles(poll()) == ["a"]  # nothing is there yet


def test_two_feeds_that_send_to_each_other(site: SampleServer, poll: Poll) -> None:
    for here, there in (("f", "g"), ("g", "f")):
        more = f"<itunes:new-feed-url>{site.url}/{there}</itunes:new-feed-url>"
        site.extra[f"/{here}"] = feed(here, more=more)
    assert titles(poll()) == ["g"]


def paged(site: SampleServer, pages: int) -> None:
    for page in range(pages):
        more = f'<atom:link rel="next" href="/f{page + 1}"/>' if page + 1 < pages else ""
        site.extra[f"/f{page or ''}"] = feed(f"e{2 * page}", f"e{2 * page + 1}", more=more)


def test_pages_are_read_to_the_end(site: SampleServer, poll: Poll) -> None:
    paged(site, 3)
    listing = poll()
    assert titles(listing) == ["e0", "e1", "e2", "e3", "e4", "e5"] and listing.complete


def test_pages_are_read_until_one_is_known(site: SampleServer, poll: Poll) -> None:
    paged(site, 4)
    listing = poll(all_known=lambda videos: {video.guid for video in videos} <= {"e2", "e3", "e4"})
    assert titles(listing) == ["e0", "e1", "e2", "e3"] and not listing.complete and listing.error is None


def test_a_page_that_fails_ends_the_listing_and_what_was_read_counts(site: SampleServer, poll: Poll) -> None:
    paged(site, 3)
    site.extra["/f2"] = answer(500)
    listing = poll()
    assert titles(listing) == ["e0", "e1", "e2", "e3"] and not listing.complete
    assert isinstance(listing.error, SourceError) and not poll(listing).unchanged
    paged(site, 3)
    site.extra["/f2"] = b"<html></html>"
    assert "no feed" in str(poll().error)


def test_pages_in_a_circle_end(site: SampleServer, poll: Poll) -> None:
    site.extra["/f"] = feed("a", more='<atom:link rel="next" href="/g"/>')
    site.extra["/g"] = feed("b", more='<atom:link rel="next" href="/f"/>')
    assert titles(poll()) == ["a", "b"]


def test_a_feed_that_was_cut_off_makes_nothing_vanish(site: SampleServer, poll: Poll) -> None:
    whole = feed("a", "b")
    site.extra["/f"] = whole[: whole.rindex(b"<guid>") + 7]
    listing = poll()
    assert titles(listing) == ["a"] and not listing.complete
    (note,) = listing.notes
    assert "line 2, column" in note and "in the middle" in note
    assert not poll(listing).unchanged


def test_what_is_there_twice_and_what_shares_a_guid_is_said(site: SampleServer, poll: Poll) -> None:
    items = [ITEM.format(name="a"), ITEM.format(name="a"), ITEM.format(name="b"), "<item><title>text</title></item>",
             ITEM.replace("/m/{name}", "/m/other").format(name="b")]  # fmt: skip
    site.extra["/f"] = FEED.format(more="", items="".join(items)).encode()
    listing = poll()
    assert listing.notes == ["3 listed, 1 without a file to play, 1 there twice, 2 share a guid"]
    assert len({video.video_id for video in listing.videos}) == 3


class Closed:
    """A site that wants a user and a password, and keeps what it was given."""

    def __init__(self, site: SampleServer, content: bytes, login: str) -> None:
        self.expected = f"Basic {b64encode(login.encode()).decode()}"
        self.content = content
        self.given: list[str | None] = []
        self.site = site

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        self.given.append(request.headers["Authorization"])
        if request.headers["Authorization"] == self.expected:
            answer(200, self.content, Content_Type="application/octet-stream")(request)
        else:
            answer(401, WWW_Authenticate='Basic realm="x"')(request)


def test_the_password_of_an_address_goes_to_its_host_alone(
    site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Any
) -> None:
    with SampleServer(items=[], host="localhost") as other:
        elsewhere = ITEM.replace("/m/", f"{other.url}/m/").format(name="b")
        items = f"{ITEM.format(name='a')}{elsewhere}"
        site.extra["/f"] = Closed(site, FEED.format(more="", items=items).encode(), "me:s3cr@t")
        site.extra["/m/a.mp3"] = Closed(site, sound, "me:s3cr@t")
        other.extra["/m/b.mp3"] = open_file = Closed(other, sound, "nobody:x")
        open_file.expected = None  # type: ignore[assignment]
        whole = site.url.replace("//", "//me:s3cr%40t@")
        listing = list_source(f"{whole}/f", options)
        first, second = listing.videos
        assert (first.url, second.url) == (f"{whole}/m/a.mp3", f"{other.url}/m/b.mp3")
        assert download(first.url, tmp_path, "a", options).bytes == len(sound)
        assert download(second.url, tmp_path, "b", options).bytes == len(sound)
        assert open_file.given == [None]


def test_logins_by_host(site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Any) -> None:
    site.extra |= {"/f": Closed(site, feed("a"), "me:pass:word"), "/m/a.mp3": Closed(site, sound, "me:pass:word")}
    with_login = SourceOptions(**{**options.model_dump(), "logins": {"127.0.0.1": "me:pass:word"}})
    (video,) = list_source(f"{site.url}/f", with_login).videos
    assert "pass" not in video.url and "pass" not in repr(with_login)
    assert download(video.url, tmp_path, "a", with_login).bytes == len(sound)


def test_a_wrong_password_is_told_as_such_and_repeated_nowhere(site: SampleServer, options: SourceOptions) -> None:
    site.extra["/f"] = Closed(site, feed("a"), "me:right")
    with pytest.raises(SignInRequired) as caught:
        list_source(site.url.replace("//", "//me:s3cret@") + "/f", options)
    assert caught.value.reason == "login" and "password" in str(caught.value)
    assert "s3cret" not in str(caught.value) and "cookies" not in str(caught.value)
