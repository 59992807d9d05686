"""A feed behind a password: asked with it, its media too, and never a word of it."""

from __future__ import annotations

import base64
import logging
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest

from channelscribe.errors import SignInRequired
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import public_url, with_login
from channelscribe.sources.download import download
from channelscribe.sources.listing import list_source

PASSWORD = "pa55/@:ünd"
HERE = SourceOptions(allow_private_addresses=True, retries=0)
FEED = """<rss version="2.0"><channel><title>Private</title><item><title>Mine</title><guid>mine</guid>
<enclosure url="{url}/e.mp3" length="1" type="audio/mpeg"/></item></channel></rss>"""


@pytest.fixture
def private(site: SampleServer) -> SampleServer:
    wanted = f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"

    def behind(content: bytes, kind: str, handler: BaseHTTPRequestHandler) -> None:
        known = handler.headers.get("Authorization") == wanted
        handler.send_response(200 if known else 401)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content) if known else 0))
        handler.end_headers()
        if known and handler.command != "HEAD":
            handler.wfile.write(content)

    feed = FEED.format(url=site.url).encode()
    site.extra["/private.xml"] = lambda handler: behind(feed, "application/rss+xml", handler)
    site.extra["/e.mp3"] = lambda handler: behind(b"\xff\xfb" + bytes(5000), "audio/mpeg", handler)
    return site


def test_it_is_asked_with_its_password(private: SampleServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = f"{private.url}/private.xml".replace("://", f"://me:{quote(PASSWORD, safe='')}@")
    with caplog.at_level(logging.DEBUG):
        listing = list_source(whole, HERE)
        (episode,) = listing.videos
        with pytest.raises(SignInRequired) as caught:
            download(public_url(episode.url), tmp_path, "x", HERE)
        assert download(episode.url, tmp_path, "x", HERE).bytes == 5002
    assert listing.title == "Private" and public_url(whole) == f"{private.url}/private.xml"
    said = caplog.text + str(caught.value) + listing.source_id + listing.title
    for secret in ("pa55", quote(PASSWORD, safe=""), "me:"):
        assert secret not in said


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("https://example.org/e.mp3?n=1", True),
        ("https://EXAMPLE.org/e.mp3", True),
        ("http://example.org/e.mp3", False),  # what was encrypted goes nowhere in the clear
        ("https://cdn.example.org/e.mp3", False),
        ("https://you:theirs@example.org/e.mp3", False),
    ],
)
def test_whose_password_it_is(url: str, login: bool) -> None:
    with_it = with_login(url, "https://me:pa55@example.org/feed.xml")
    assert ("me:pa55@" in with_it) is login
    assert with_it == (url.replace("://", "://me:pa55@") if login else url)
    assert with_login(url, "https://example.org/feed.xml") == url
