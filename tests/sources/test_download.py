from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from channelscribe.errors import EmptyMedia, MediaTooLarge, NotAURL, SourceNotFound, SourceUnreachable
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.download import download, original_audio


def test_a_file_comes_as_it_is(site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Path) -> None:
    seen: list[tuple[float | None, int]] = []
    got = download(
        f"{site.url}/media/one.mp3", tmp_path, "one", options, lambda share, size: seen.append((share, size))
    )
    assert got.path == tmp_path / "one.mp3" and got.path.read_bytes() == sound
    assert (got.extension, got.bytes, got.title) == ("mp3", len(sound), "one")
    assert seen[-1] == (1.0, len(sound))
    assert [each.name for each in tmp_path.iterdir()] == ["one.mp3"]


@pytest.mark.slow
def test_hostile_names_stay_inside_the_folder(
    site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Path
) -> None:
    site.extra["/media/-rf%00..%2F..%2F%s.mp3"] = sound
    site.extra["/x"] = sound
    folder = tmp_path / "in"
    for video_id in ("../../escaped", "-o", "a\x00b", "😀" * 400, "%(title)s", "|cat"):
        assert download(f"{site.url}/media/one.mp3", folder, video_id, options).path.parent == folder
    assert {each.name for each in tmp_path.iterdir()} == {"in"}


def test_a_broken_download_goes_on_where_it_stopped(
    site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Path
) -> None:
    url, half = f"{site.url}/media/one.mp3", len(sound) // 2

    def stop(_: float | None, size: int) -> None:
        if size > half:
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError):
        download(url, tmp_path, "one", options, stop)
    (part,) = tmp_path.glob("*.part")
    kept = part.stat().st_size
    assert kept > 0
    assert download(url, tmp_path, "one", options).path.read_bytes() == sound
    assert site.requests[-1].range == f"bytes={kept}-"
    assert [each.name for each in tmp_path.iterdir()] == ["one.mp3"]


def test_a_connection_that_breaks_off_is_taken_up_again(
    site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Path
) -> None:
    breaks = iter(range(2))

    def unreliable(handler: BaseHTTPRequestHandler) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        rest = sound[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Type", "audio/mpeg")
        handler.send_header("Content-Length", str(len(rest)))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(sound) - 1}/{len(sound)}")
        handler.end_headers()
        handler.wfile.write(rest[: len(rest) // 2] if next(breaks, None) is not None else rest)

    site.extra["/media/shaky.mp3"] = unreliable
    got = download(f"{site.url}/media/shaky.mp3", tmp_path, "shaky", options)
    assert got.path.read_bytes() == sound


@pytest.mark.parametrize(("path", "error"), [("/empty.mp3", EmptyMedia), ("/gone.mp3", SourceNotFound)])
def test_nothing_to_keep(
    site: SampleServer, options: SourceOptions, tmp_path: Path, path: str, error: type[Exception]
) -> None:
    site.extra["/empty.mp3"] = b""
    with pytest.raises(error):
        download(f"{site.url}{path}", tmp_path, "x", options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("told", [True, False])
def test_a_file_that_is_too_large(site: SampleServer, options: SourceOptions, tmp_path: Path, told: bool) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "audio/mpeg")
        if told:
            handler.send_header("Content-Length", str(10**9))
        handler.end_headers()
        try:
            for _ in range(4000):
                handler.wfile.write(b"\xff\xfb\x90\x00" * 4096)
        except OSError:
            return

    site.extra["/endless.mp3"] = endless
    small = options.model_copy(update={"max_megabytes": 2})
    with pytest.raises(MediaTooLarge, match="2 MB"):
        download(f"{site.url}/endless.mp3", tmp_path, "x", small)
    assert list(tmp_path.iterdir()) == []


def test_refused_addresses(options: SourceOptions, tmp_path: Path) -> None:
    with pytest.raises(NotAURL):
        download("dQw4w9WgXcQ", tmp_path, "x", options)
    with pytest.raises(SourceUnreachable):
        download("http://127.0.0.1:9/x.mp3", tmp_path, "x", options.model_copy(update={"retries": 0}))


@pytest.mark.slow
def test_downloads_in_threads(site: SampleServer, options: SourceOptions, sound: bytes, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        urls = [f"{site.url}/media/one.mp3?{number}" for number in range(8)]
        got = list(pool.map(lambda url: download(url, tmp_path, url[-1], options), urls))
    assert all(each.path.read_bytes() == sound for each in got)
    assert len({each.path for each in got}) == 8


def chosen(*formats: dict[str, Any]) -> list[str]:
    return [each["format_id"] for each in original_audio({"formats": list(formats)})]


def test_the_original_language_comes_before_everything() -> None:
    dubbed = {"format_id": "dubbed", "vcodec": "none", "acodec": "opus", "protocol": "https", "language_preference": -1}
    original = {**dubbed, "format_id": "original", "language_preference": 10}
    muxed = {**original, "format_id": "muxed", "vcodec": "avc1"}
    silent = {**muxed, "format_id": "silent", "acodec": "none"}
    by_ffmpeg = {**original, "format_id": "rtmp", "protocol": "rtmp"}
    assert chosen(original, dubbed, by_ffmpeg, silent) == ["original"]
    assert chosen(muxed, dubbed, silent) == ["muxed"]
    assert chosen(original, muxed) == ["original"]
    assert chosen(silent, by_ffmpeg) == []
