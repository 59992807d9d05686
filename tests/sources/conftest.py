"""A site on 127.0.0.1 for the real yt-dlp, with a feed and a few seconds of sound."""

from __future__ import annotations

import io
from collections.abc import Iterator
from socketserver import BaseServer

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>The Channel</title>
<item><title>../../etc/passwd</title><guid>tide-tables</guid><pubDate>Sun, 01 Jan 2023 23:30:00 -0500</pubDate>
  <description>About tides.</description><itunes:duration>1:02</itunes:duration>
  <enclosure url="{base}/media/one.mp3" length="1" type="audio/mpeg"/></item>
<item><title>-rf {emoji}</title><guid>12</guid><enclosure url="{base}/media/one.mp3?n=2" type="audio/mpeg"/></item>
<item><title>No guid</title><enclosure url="{base}/media/with%20space and more.mp3" type="audio/mpeg"/></item>
<item><title>Twice</title><guid>tide-tables</guid><enclosure url="{base}/media/one.mp3" type="audio/mpeg"/></item>
<item><title>A URL as guid</title><guid>https://example.org/?p=../1</guid>
  <enclosure url="{base}/media/one.mp3?n=4" type="audio/mpeg"/></item>
<item><title>Text only</title><guid>text</guid></item>
</channel></rss>"""


@pytest.fixture(scope="session", autouse=True)
def servers_that_stop_at_once() -> Iterator[None]:
    """They look every half second whether they are to stop, which is most of the time of these tests."""
    usual = BaseServer.serve_forever.__defaults__
    BaseServer.serve_forever.__defaults__ = (0.01,)
    yield
    BaseServer.serve_forever.__defaults__ = usual


def mp3(seconds: float) -> bytes:
    noise = np.random.default_rng(1).standard_normal(int(16000 * seconds)).astype(np.float32) * 0.1
    file = io.BytesIO()
    soundfile.write(file, noise, 16000, format="MP3")
    return file.getvalue()


@pytest.fixture(scope="session")
def sound() -> bytes:
    return mp3(20)


@pytest.fixture
def site(sound: bytes) -> Iterator[SampleServer]:
    with SampleServer(items=[], extra={"/media/one.mp3": sound}) as server:
        server.extra["/feed.xml"] = FEED.format(base=server.url, emoji="\N{GRINNING FACE}" * 400).encode()
        server.extra["/page.html"] = b"<!doctype html><title>A page</title><p>Nothing to play.</p>"
        yield server


@pytest.fixture
def options() -> SourceOptions:
    return SourceOptions(allow_private_addresses=True, retries=2, timeout_seconds=5)
