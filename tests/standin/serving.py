"""The HTTP of the stand-in site: which request gets which answer, and media that arrive badly."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from channelscribe.sample.feed import content_type
from channelscribe.sample.web import Handler, Resource
from tests.standin.answers import WRONG_TRACK, listing, listing_page, video_page
from tests.standin.channels import Video
from tests.standin.faults import Fault
from tests.standin.request_log import Asked

if TYPE_CHECKING:
    from tests.standin.site import StandinSite

CHUNK = 1 << 14


class StandinHandler(Handler):
    """Answers one connection; `site` is set on a subclass."""

    server_version = "standin"
    site: StandinSite  # type: ignore[assignment]
    record: Asked
    cut_after: int | None = None

    def do_GET(self) -> None:  # noqa: N802
        self.cut_after = None
        self.record = Asked(self.command, self.path, self.headers.get("Range"))
        self.site.log(self.record)
        fault = self.site.fault_for(self.record, listing_page(self.path))
        if fault is not None:
            self._fail(fault)
        elif self.record.on == "media":
            self._media()
        elif self.record.on == "page":
            video = self.site.video(self.path.rpartition("/")[2].rpartition("=")[2])
            self._answer(None if video is None else video_page(self.site, video), "text/html; charset=utf-8")
        else:
            found = listing(self.site, self.path)
            self._answer(None if found is None else json.dumps(found).encode(), "application/json")

    def _answer(self, content: bytes | None, kind: str) -> None:
        if content is None:
            self._send(HTTPStatus.NOT_FOUND, Resource(b"not here\n", "text/plain", 0), {})
        else:
            self._send(HTTPStatus.OK, Resource(content, kind, 0), {})

    def _fail(self, fault: Fault) -> None:
        if fault.status is None:
            self.close_connection = True
            return
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        content = b"{}" if fault.status == HTTPStatus.OK else f"status {fault.status}\n".encode()
        self._send(HTTPStatus(fault.status), Resource(content, "application/json", 0), headers)

    def _media(self) -> None:
        parts = urlsplit(self.path)
        video_id, name = parts.path.split("/")[3:5]
        video = self.site.video(video_id)
        if video is None:
            self._answer(None, "")
        elif not self.site.accepts(parse_qs(parts.query).get("sig", [""])[0]):
            self._send(HTTPStatus.FORBIDDEN, Resource(b"expired\n", "text/plain", 0), {})
        elif not name.startswith("140."):
            self._answer(WRONG_TRACK, content_type(name))
        elif video.chunked:
            self._send_chunks(self.site.media_of(video))
        else:
            self._send_media(video, name)

    def _send_media(self, video: Video, name: str) -> None:
        self.cut_after = video.cut_after
        self.close_connection = video.cut_after is not None
        self._send_resource(Resource(self.site.media_of(video), content_type(name), 1_700_000_000))

    def _send_chunks(self, content: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for offset in range(0, len(content), CHUNK):
            chunk = content[offset : offset + CHUNK]
            self.record.bytes_sent += len(chunk)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _send_body(self, content: bytes) -> None:
        for offset in range(0, len(content), CHUNK):
            chunk = content[offset : offset + CHUNK]
            if self.cut_after is not None:
                chunk = chunk[: self.cut_after - self.record.bytes_sent]
            if self.record.on == "media" and self.site.bytes_per_second:
                time.sleep(len(chunk) / self.site.bytes_per_second)
            self.record.bytes_sent += len(chunk)
            try:
                self.wfile.write(chunk)
            except OSError:
                self.close_connection = True
                return
            if self.record.bytes_sent == self.cut_after:
                return
