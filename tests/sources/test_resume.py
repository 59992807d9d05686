"""Parts of files at servers of all manners: validators or none, ranges or none, lengths or none."""

from __future__ import annotations

import io
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.errors import MediaTooLarge, MediaTooLong, NoMedia, TruncatedMedia
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import download as downloading
from channelscribe.sources import ytdlp
from channelscribe.sources.download import Download, download
from channelscribe.sources.resume import Origin
from channelscribe.sources.transfer import is_cut

BLOCK = 1 << 16
OLD, NEW = bytes(range(256)) * 800, bytes(reversed(range(256))) * 800
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(ytdlp, "_pause", lambda n: 0.0)


def serve(
    content: bytes, *, ranges: bool = True, length: bool = True, cut: int | None = None, **headers: str
) -> Answer:
    """A server that may ignore ranges, tell no length, break off after `cut` bytes; never looks at If-Range."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:].partition("-")[0]) if ranges else 0
        rest = content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Type", "audio/mpeg")
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if length:
            handler.send_header("Content-Length", str(len(rest)))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.end_headers()
        handler.wfile.write(rest[:cut])

    return answer


@pytest.fixture
def fetch(site: SampleServer, options: SourceOptions, tmp_path: Path) -> Callable[..., Download]:
    def run(answer: Answer, path: str = "/a.mp3", **more: Any) -> Download:
        site.extra[path] = answer
        return download(f"{site.url}{path}", tmp_path, "one", options.model_copy(update={"retries": 0, **more}))

    return run


def ranges(site: SampleServer) -> list[tuple[str | None, int]]:
    return [(each.range, each.status) for each in site.requests]


def test_a_media_file_is_asked_for_once(
    site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Path
) -> None:
    got = download(f"{site.url}/media/one.mp3?token=x", tmp_path, "one", options)
    assert got.path.read_bytes() == sound
    assert [each.path for each in site.requests] == ["/media/one.mp3?token=x"]
    assert got.published is not None  # its last change


@pytest.mark.parametrize("path", ["/page.mp3", "/list.mp3"])
def test_what_only_ends_like_media_goes_to_yt_dlp(
    site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Path, path: str
) -> None:
    """A page has no audio; a manifest is read as one."""
    types = {"/page.mp3": ("text/html", b"<!doctype html><title>x</title>"), "/list.mp3": ("audio/x-mpegurl", b"")}
    kind, content = types[path]
    site.extra["/list.ts"] = sound
    if path == "/list.mp3":
        content = f"#EXTM3U\n#EXT-X-TARGETDURATION:20\n#EXTINF:20,\n{site.url}/list.ts\n#EXT-X-ENDLIST\n".encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    site.extra[path] = answer
    if path == "/page.mp3":
        with pytest.raises(NoMedia):
            download(f"{site.url}{path}", tmp_path, "one", options)
        assert list(tmp_path.iterdir()) == []
    else:
        assert download(f"{site.url}{path}", tmp_path, "one", options).path.read_bytes() == sound


@pytest.mark.slow
@pytest.mark.parametrize("validator", [{"ETag": '"v1"'}, {"Last_Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}])
def test_the_same_file_is_continued(
    site: SampleServer, fetch: Callable[..., Download], validator: dict[str, str]
) -> None:
    with pytest.raises(TruncatedMedia):
        fetch(serve(OLD, cut=BLOCK + 9, **validator))
    assert fetch(serve(OLD, **validator)).path.read_bytes() == OLD
    assert ranges(site) == [(None, 200), (f"bytes={BLOCK}-", 206)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ETag": '"v1"'}, {"ETag": '"v2"'}),
        ({"Last_Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}, {"Last_Modified": "Thu, 02 Jan 2025 00:00:00 GMT"}),
    ],
)
def test_a_server_that_ignores_if_range_gets_no_mixture_kept(
    site: SampleServer, fetch: Callable[..., Download], before: dict[str, str], after: dict[str, str]
) -> None:
    with pytest.raises(TruncatedMedia):
        fetch(serve(OLD, cut=BLOCK + 9, **before))
    assert fetch(serve(NEW, **after)).path.read_bytes() == NEW
    assert ranges(site) == [(None, 200), (f"bytes={BLOCK}-", 206), (None, 200)]


@pytest.mark.slow
@pytest.mark.parametrize("weak", [{}, {"ETag": 'W/"v1"'}])
def test_without_a_strong_validator_it_starts_over(
    site: SampleServer, fetch: Callable[..., Download], weak: dict[str, str]
) -> None:
    with pytest.raises(TruncatedMedia):
        fetch(serve(OLD, cut=BLOCK + 9, **weak))
    assert fetch(serve(NEW, **weak)).path.read_bytes() == NEW
    assert ranges(site) == [(None, 200), (None, 200)]


def test_a_server_without_ranges_starts_over(site: SampleServer, fetch: Callable[..., Download]) -> None:
    with pytest.raises(TruncatedMedia):
        fetch(serve(OLD, cut=BLOCK + 9, ETag='"v1"'))
    assert fetch(serve(OLD, ranges=False, ETag='"v1"')).path.read_bytes() == OLD
    assert ranges(site)[-1] == (f"bytes={BLOCK}-", 200)


def test_a_file_that_became_shorter_than_its_part(
    site: SampleServer, options: SourceOptions, fetch: Callable[..., Download], tmp_path: Path
) -> None:
    """Status 416; yt-dlp alone takes a part for the whole when the lengths differ by less than 100 bytes."""
    with pytest.raises(TruncatedMedia):
        fetch(serve(OLD, cut=BLOCK + 9))
    (part,) = tmp_path.glob("*.part")
    shorter = NEW[: part.stat().st_size - 50]
    (origin,) = tmp_path.glob("*.origin")
    origin.write_text(origin.read_text().replace('"etag": null', '"etag": "\\"v1\\""'))
    site.extra["/a.mp3"] = shorter
    assert download(f"{site.url}/a.mp3", tmp_path, "one", options).path.read_bytes() == shorter


def test_the_part_of_a_killed_download_without_a_note_is_not_trusted(
    site: SampleServer, fetch: Callable[..., Download], tmp_path: Path
) -> None:
    with pytest.raises(TruncatedMedia):
        fetch(serve(OLD, cut=BLOCK + 9, ETag='"v1"'))
    (origin,) = tmp_path.glob("*.origin")
    origin.write_text("{")
    assert fetch(serve(NEW, ETag='"v1"')).path.read_bytes() == NEW


def wav(seconds: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(int(8000 * seconds), np.float32), 8000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def ogg(seconds: float) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(1).standard_normal(int(8000 * seconds)).astype(np.float32) * 0.1
    soundfile.write(file, noise, 8000, format="OGG", subtype="VORBIS")
    return file.getvalue()


def mp4(*boxes: int) -> bytes:
    return b"".join(
        size.to_bytes(4, "big") + (b"ftyp" if number == 0 else b"mdat") + bytes(size - 8)
        for number, size in enumerate(boxes)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "whole"), [("wav", wav(2)), ("ogg", ogg(5)), ("m4a", mp4(24, 3000, 500))])
def test_a_cut_file_of_unannounced_length_is_noticed(
    site: SampleServer, fetch: Callable[..., Download], tmp_path: Path, name: str, whole: bytes
) -> None:
    path = f"/a.{name}"
    with pytest.raises(TruncatedMedia, match="its end is not there"):
        fetch(serve(whole[:-100], ranges=False, length=False), path)
    assert len(site.requests) == 3
    assert fetch(serve(whole, ranges=False, length=False), path).path.read_bytes() == whole
    (tmp_path / "x").write_bytes(whole[: len(whole) // 2])
    assert is_cut(tmp_path / "x")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"OggS", b"ID3" + bytes(500), b"\x00" * 40])
def test_what_cannot_be_told_is_not_called_cut(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert is_cut(tmp_path / "x") is (content == b"OggS")


def test_a_stream_that_never_ends(fetch: Callable[..., Download], tmp_path: Path) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "audio/mpeg")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(BLOCK))
        except OSError:
            return

    with pytest.raises(MediaTooLong, match="still arriving"):
        fetch(endless, max_duration_hours=1e-9)
    with pytest.raises(MediaTooLarge):
        fetch(endless, max_megabytes=1)
    assert list(tmp_path.iterdir()) == []


def test_what_two_answers_have_in_common() -> None:
    told = Origin(etag='"a"', modified="x", total=5)
    assert told.is_same(Origin(etag='"a"'))
    assert told.is_same(Origin(total=5))
    assert not told.is_same(Origin(etag='"a"', total=6))
    assert not told.is_same(Origin())
    assert Origin(etag='W/"a"', modified="not a date").condition is None


def test_a_site_that_is_fetched_in_many_ranges(
    site: SampleServer, options: SourceOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As YouTube is; nothing is taken for changed, and what did change on the way is started over."""
    monkeypatch.setitem(downloading.FORMAT_OPTIONS, "http_chunk_size", 50_000)
    site.extra["/a.mp3"] = OLD
    assert download(f"{site.url}/a.mp3", tmp_path, "one", options).path.read_bytes() == OLD
    assert {status for _, status in ranges(site)} == {206} and len(site.requests) >= 5

    asked = iter(range(100))

    def changing(handler: BaseHTTPRequestHandler) -> None:
        content = OLD if next(asked) < 2 else NEW
        start, _, end = (handler.headers.get("Range") or "")[6:].partition("-")
        piece = content[int(start) : int(end) + 1]
        handler.send_response(206)
        handler.send_header("Content-Type", "audio/mpeg")
        handler.send_header("ETag", f'"{content[0]}"')
        handler.send_header("Content-Length", str(len(piece)))
        handler.send_header("Content-Range", f"bytes {start}-{int(start) + len(piece) - 1}/{len(content)}")
        handler.end_headers()
        handler.wfile.write(piece)

    site.extra["/b.mp3"] = changing
    assert download(f"{site.url}/b.mp3", tmp_path, "two", options).path.read_bytes() == NEW


def test_a_file_that_is_longer_than_allowed_by_its_own_header(fetch: Callable[..., Download], tmp_path: Path) -> None:
    with pytest.raises(MediaTooLong):
        fetch(serve(wav(30)), "/a.wav", max_duration_hours=20 / 3600)
    assert list(tmp_path.iterdir()) == []
    assert fetch(serve(wav(30)), "/a.wav", max_duration_hours=40 / 3600).path.read_bytes() == wav(30)


def test_an_address_that_yt_dlp_writes_another_way_is_continued_too(
    site: SampleServer, options: SourceOptions, tmp_path: Path
) -> None:
    path = "/media/Umläute-%C3%BC.mp3"
    site.extra[unquote(path)] = serve(OLD, cut=BLOCK + 9, ETag='"v1"')
    once = options.model_copy(update={"retries": 0})
    with pytest.raises(TruncatedMedia):
        download(f"{site.url}{path}", tmp_path, "one", once)
    site.extra[unquote(path)] = serve(OLD, ETag='"v1"')
    assert download(f"{site.url}{path}", tmp_path, "one", once).path.read_bytes() == OLD
    assert ranges(site)[-1] == (f"bytes={BLOCK}-", 206)


def test_a_new_file_without_an_etag_does_not_inherit_the_old_ones(
    site: SampleServer, fetch: Callable[..., Download]
) -> None:
    with pytest.raises(TruncatedMedia):
        fetch(serve(OLD, cut=BLOCK + 9, ETag='"v1"'))
    with pytest.raises(TruncatedMedia):
        fetch(serve(NEW, ranges=False, cut=BLOCK + 9))
    assert fetch(serve(OLD, ETag='"v1"')).path.read_bytes() == OLD
    assert ranges(site)[-1] == (None, 200)
