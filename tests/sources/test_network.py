from __future__ import annotations

import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from yt_dlp.networking.exceptions import RequestError  # type: ignore[import-untyped]

from channelscribe.errors import AddressRefused
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import addresses
from channelscribe.sources.listing import list_source
from channelscribe.sources.ytdlp import YtdlpLog, open_ytdlp

PUBLIC = "93.184.216.34"


def redirect(to: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture
def loopback_counts_as_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 plays the public internet, so that only what is redirected to can be refused."""
    real = addresses._is_public
    monkeypatch.setattr(addresses, "_is_public", lambda address: str(address) == "127.0.0.1" or real(address))


@pytest.mark.usefixtures("loopback_counts_as_public")
@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{port}/page.html", "http://169.254.169.254/x", "file:///etc/passwd", "ftp://h/x"]
)
def test_a_redirect_is_checked_before_it_is_followed(site: SampleServer, target: str) -> None:
    site.extra["/go"] = redirect(target.format(port=site.url.rpartition(":")[2]))
    with pytest.raises(AddressRefused):
        list_source(f"{site.url}/go", SourceOptions(retries=0))
    assert [each.path for each in site.requests] == ["/go"]


@pytest.mark.usefixtures("loopback_counts_as_public")
def test_a_redirect_to_an_allowed_address_is_followed(site: SampleServer) -> None:
    site.extra["/go"] = redirect(f"{site.url}/feed.xml")
    assert list_source(f"{site.url}/go", SourceOptions()).title == "The Channel"


def test_a_name_that_changes_its_address_reaches_nobody(site: SampleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when it is checked, this machine when it is connected to."""
    answers = iter([PUBLIC, PUBLIC])
    real = socket.getaddrinfo

    def rebinding(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real(next(answers, "127.0.0.1") if host == "rebinding.test" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
        list_source(site.url.replace("127.0.0.1", "rebinding.test"), SourceOptions(retries=0))
    assert site.requests == []


def test_only_checked_handlers_are_there() -> None:
    with open_ytdlp(SourceOptions(), YtdlpLog()) as ydl:
        assert set(ydl._request_director.handlers) == {"Checked", "Data"}
        assert ydl.urlopen("data:text/plain,hello").read() == b"hello"
        for url in ("ftp://127.0.0.1/x", "file:///etc/passwd", "ws://127.0.0.1/"):
            with pytest.raises(RequestError):
                ydl.urlopen(url)
