"""Lists of shows, and the pages of directories: what leads to a feed, and what says how to find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from channelscribe.errors import NoMedia, UsageError
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import subscriptions
from channelscribe.sources.listing import list_source
from channelscribe.sources.subscriptions import directory_of, expand, read_opml, write_opml

SHOWS = [("News & <more>", "https://one.example/feed?a=1&b=2"), ("Zwei \U0001f399", "https://two.example/f")]


def test_a_list_that_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "shows.opml"
    file.write_bytes(write_opml("Mine\x00", SHOWS))
    assert read_opml(file) == SHOWS
    assert expand(["https://three.example/", str(file), "https://two.example/f"]) == [
        "https://three.example/", *(url for _, url in SHOWS)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no list of shows"), (b"<rss><channel/></rss>", "no list of shows"), (b"words", "no list of shows"),
     (b"<opml><body><outline text='x'/></body></opml>", "lists no show"), (None, "cannot be read")],
)  # fmt: skip
def test_what_is_no_list_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "shows.opml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        expand([str(file)])


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The site of the tests as a directory of podcasts."""
    monkeypatch.setitem(subscriptions.DIRECTORIES, "127.0.0.1", "Apple Podcasts")


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    "told",
    ['<script>{{"x":1,"feedUrl":"http:\\/\\/localhost:{port}\\/feed.xml"}}</script>',
     '<a class="x" href="http://localhost:{port}/feed.xml">RSS feed</a>'],
)  # fmt: skip
def test_a_directory_that_tells_the_feed(site: SampleServer, options: SourceOptions, told: str) -> None:
    page = "<!doctype html><html><title>A show</title>" + told.format(port=site.url.rpartition(":")[2])
    site.extra["/podcast/a/id1"] = page.encode()
    listing = list_source(f"{site.url}/podcast/a/id1", options)
    assert (listing.title, len(listing.videos)) == ("The Channel", 4)
    assert "announces a feed" in listing.notes[0]


@pytest.mark.usefixtures("directory")
def test_a_directory_that_does_not_tells_how_to_find_it(site: SampleServer, options: SourceOptions) -> None:
    site.extra["/show/1"] = b"<!doctype html><html><title>A show</title>"
    with pytest.raises(NoMedia, match="does not tell where the feed") as caught:
        list_source(f"{site.url}/show/1", options)
    assert "podcastindex.org" in caught.value.remedy


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://podcasts.apple.com/us/podcast/a/id1", "Apple Podcasts"), ("https://open.spotify.com/show/x", "Spotify"),
     ("https://overcast.fm/itunes1/a", "Overcast"), ("https://podcasts.apple.com/us/podcast/a/id1?i=1000", None),
     ("https://example.org/feed.xml", None)],
)  # fmt: skip
def test_directories(url: str, name: str | None) -> None:
    assert directory_of(url) == name
