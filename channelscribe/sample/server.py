"""The sample channel as a web site on 127.0.0.1: a podcast feed and its media, for demonstrations and tests.

`python -m channelscribe.sample.server [--host NAME] [--port N]` prints the feed's URL and serves until interrupted.

    /feed.xml        the feed, made anew for each request from `SampleServer.items`
    /media/NAME      the media files, with ranges, so that downloads resume
    /about.html      a page with nothing to download
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from channelscribe.sample.feed import SAMPLE_GUID, FeedItem, content_type, feed, sample_items
from channelscribe.sample.web import Answer, Handler, Request, Resource
from channelscribe.sample.world import media_dir

_ABOUT = b"<!doctype html><title>About</title><p>Synthetic voices about weather, food and trains.</p>\n"


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here: yt-dlp does so whenever it only looks at a file."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class SampleServer:
    """Serves the sample channel inside a ``with`` block, on a port of its own unless one is given.

    ``items`` may be changed while it runs, to publish or withdraw an episode. ``extra`` adds or replaces
    paths: bytes are served like a file, a function gets the request handler and answers by itself (a failure,
    a connection cut in the middle). ``bytes_per_second`` slows bodies down. ``host`` is the name or address that is
    listened on and that stands in URLs.
    """

    def __init__(
        self,
        items: Iterable[FeedItem] | None = None,
        extra: Mapping[str, bytes | Callable[[BaseHTTPRequestHandler], None]] | None = None,
        port: int = 0,
        bytes_per_second: int | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.items = list(sample_items() if items is None else items)
        self._guid = SAMPLE_GUID if items is None else None  # other items are another show
        self.extra = dict(extra or {})
        self.bytes_per_second = bytes_per_second
        self._started = time.time()
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._host = host
        self._server = _Server((host, port), type("SiteHandler", (Handler,), {"site": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, name="sample-server", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._server.server_address[1]}"

    @property
    def feed_url(self) -> str:
        return f"{self.url}/feed.xml"

    @property
    def requests(self) -> list[Request]:
        """What was asked for so far, in order."""
        with self._lock:
            return list(self._requests)

    @property
    def media_requests(self) -> list[Request]:
        """The requests that got media content: no HEAD, no error.

        Listing counts too unless it is flat: yt-dlp opens each file of a feed to see what it is.
        """
        return [
            request
            for request in self.requests
            if request.path.startswith("/media/") and request.method == "GET" and request.status in (200, 206)
        ]

    def log(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def find(self, path: str) -> Answer | None:
        """What lies at a path. A media name is looked up in the folder's listing, never joined to a path."""
        if path in self.extra:
            answer = self.extra[path]
            return self._resource(answer, path) if isinstance(answer, bytes) else answer
        if path == "/feed.xml":
            return self._resource(feed(self.url, self.items, guid=self._guid), path)
        if path == "/about.html":
            return self._resource(_ABOUT, path)
        file = {f"/media/{file.name}": file for file in media_dir().iterdir()}.get(path)
        return Resource(file.read_bytes(), content_type(file.name), file.stat().st_mtime) if file else None

    def _resource(self, content: bytes, path: str) -> Resource:
        return Resource(content, content_type(path), self._started)

    def start(self) -> SampleServer:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> SampleServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Returns when the server is stopped."""
        self._thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the sample channel as a podcast feed.")
    parser.add_argument("--host", default="127.0.0.1", help="name or address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    given = parser.parse_args()
    with SampleServer(host=given.host, port=given.port) as server, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(f"{server.feed_url}\n")
        sys.stdout.flush()
        server.wait()


if __name__ == "__main__":
    main()
