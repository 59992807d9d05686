"""The requests for media: watched, so that a download notices stale addresses, changed files and what it was told.

yt-dlp's downloaders ask through `SafeYoutubeDL.urlopen`, which hands each request to the `MediaWatch` of the
download. Its errors are no HTTPErrors: yt-dlp would try those again, fragment by fragment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yt_dlp.networking import Request, Response  # type: ignore[import-untyped]
from yt_dlp.networking.exceptions import HTTPError, RequestError, TransportError  # type: ignore[import-untyped]

from channelscribe.sources.resume import Origin, Part

__all__ = ["FileChangedError", "MediaRefusedError", "MediaWatch", "NotMediaError", "StaleAddressError"]

_STALE = (403, 404, 410)  # after a good page, this is said of the address, not of the video
_LEFT_TO_YTDLP = (408, 425)  # it tries again
_RANGE_REFUSED = 416
_NO_MEDIA = ("text/", "application/xhtml", "application/xml", "application/rss", "application/json")
_MANIFESTS = ("mpegurl", "dash+xml", "smil")


class MediaRefusedError(RequestError):  # type: ignore[misc]
    """The server says no to the media; `cause` is yt-dlp's HTTPError."""


class StaleAddressError(MediaRefusedError):
    """403, 404 or 410 on an address that the page gave: it may have expired, a fresh page gives another."""


class FileChangedError(RequestError):  # type: ignore[misc]
    """What is there is part of another file than the server has now."""


class NotMediaError(RequestError):  # type: ignore[misc]
    """Behind an address that ends as media does is a page or a manifest."""


class MediaWatch:
    """Looks at the requests of one download. `only_media` refuses pages and manifests.

    `received` is what the server said of a file that comes in one piece; None before that, and for fragments.
    `failure` is why the last request got no answer, which yt-dlp's downloaders turn into words.
    """

    def __init__(self, part: Part, url: str, *, fragments: bool, only_media: bool) -> None:
        self.received: Origin | None = None
        self.failure: Exception | None = None
        self._part = part
        self._only_media = only_media
        self.fragmented = fragments
        url = Request(url).url  # as yt-dlp writes it when it asks: spaces and umlauts escaped
        self._whole = None if fragments else url
        self._known: dict[str, Origin] = {}
        self._noted: Origin | None = None
        if fragments:
            self._fragment_count = part.take_up_fragments()
        elif (noted := part.take_up()) is not None:
            self._known[url] = self._noted = noted

    def open(self, request: str | Request, send: Callable[[Request], Response]) -> Response:
        """Sends a request of yt-dlp's. Raises StaleAddressError, MediaRefusedError, FileChangedError, NotMediaError."""
        request = Request(request) if isinstance(request, str) else request
        url, known = request.url, self._known.get(request.url)
        ranged = "Range" in request.headers
        request.headers.pop("If-Range", None)  # yt-dlp uses one dictionary for all tries
        if ranged and known is not None and known is self._noted and known.condition:
            # Only for the part of an earlier try. Within one, the answers are compared: some sites are fetched in
            # many ranges, and a server that knows no If-Range would send the whole file for each.
            request.headers["If-Range"] = known.condition
        self.failure = None
        try:
            response = send(request)
        except HTTPError as error:
            self.failure = _refusal(error)
            raise self.failure from error
        except TransportError as error:
            self.failure = error
            raise
        try:
            self._look(url, known if ranged else None, response)
        except RequestError:
            response.close()
            raise
        return response

    def fragments(self, count: int) -> None:
        """Told by the progress hook: the file has so many fragments."""
        if self._fragment_count is None:
            self._part.note_fragments(count)
            self._fragment_count = count
        elif count != self._fragment_count:
            raise FileChangedError(f"It had {self._fragment_count} fragments and has {count} now.")

    def _look(self, url: str, known: Origin | None, response: Any) -> None:
        if self._only_media and (kind := _kind_of_page(response.headers.get("Content-Type") or "")):
            raise NotMediaError(f"It is {kind}.")
        got = Origin.of(response.status, response.headers)
        if known is not None and response.status == 206 and not known.is_same(got):
            raise FileChangedError("The file on the server is another one now.")
        if response.status == 206:
            got = got.completed(known)
        self._known[url] = got
        if url == self._whole:
            if response.status == 200:
                self._part.start_over()  # before the note says whose the part is
            self.received = got
            self._part.note(got)


def _refusal(error: Any) -> Exception:
    if error.status in _STALE:
        return StaleAddressError(cause=error)
    if error.status == _RANGE_REFUSED:
        return FileChangedError("The file on the server is not longer than what is here.", cause=error)
    if 400 <= error.status < 500 and error.status not in _LEFT_TO_YTDLP:
        return MediaRefusedError(cause=error)
    return error  # type: ignore[no-any-return]


def _kind_of_page(content_type: str) -> str | None:
    kind = content_type.partition(";")[0].strip().lower()
    return kind if kind.startswith(_NO_MEDIA) or any(each in kind for each in _MANIFESTS) else None
