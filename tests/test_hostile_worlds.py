"""Unlucky and hostile worlds: what comes of them is a message with a remedy, never a verdict about a video.

Others stand where they belong: clocks that jump in `tests/catalogue/test_whose_failure.py`; databases that start again,
syncs of the same second and titles of nothing in `tests/catalogue/test_unlucky.py`; an ffmpeg that is killed or prints
garbage in `tests/audio/test_ffmpeg.py`; a bucket that fails for one key in `tests/store/test_faults.py`; a read-only
mount and a model that is nowhere in `tests/test_preflight.py`.
"""

from __future__ import annotations

import errno
import gc
import os
import resource
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path, run_ffmpeg
from channelscribe.audio.probe import probe
from channelscribe.errors import (
    AddressRefused,
    ChannelscribeError,
    CorruptMedia,
    InvalidSetting,
    MachineError,
    NoMedia,
    OutOfMemory,
    ProgramFailed,
    SourceError,
    StoreNotWritable,
    as_ours,
    stops_run,
)
from channelscribe.sample import world
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.sources import download as downloading
from channelscribe.sources.download import download
from channelscribe.sources.listing import list_source
from channelscribe.store import MediaStore

HERE = SourceOptions(allow_private_addresses=True, retries=0)
SOUND = next(episode.path for episode in world.episodes() if episode.media.endswith(".mp3")).read_bytes()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_PAUSE_SECONDS", 0.0)


def answers(*bodies: bytes | int, kind: str = "audio/mpeg") -> Any:
    """One answer after the other, an HTTP status or a body; the last one again and again."""
    left = list(bodies)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        body = b"" if isinstance(now, int) else now
        handler.send_response(now if isinstance(now, int) else 200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    return answer


def reason(url: str, folder: Path, options: SourceOptions = HERE) -> ChannelscribeError:
    with pytest.raises(ChannelscribeError) as caught:
        download(url, folder, "x", options)
    return caught.value


def test_an_enclosure_that_is_not_found_once_and_empty_once(tmp_path: Path) -> None:
    with SampleServer([], {"/e.mp3": answers(404, b"", SOUND)}) as site:
        first = reason(f"{site.url}/e.mp3", tmp_path)
        assert first.reason == "not_found" and not first.counts_at_once
        assert download(f"{site.url}/e.mp3", tmp_path, "x", HERE).bytes == len(SOUND)


def test_a_captive_portal(tmp_path: Path) -> None:
    """Whatever is asked for is a page that wants a password: 200, text/html; or audio, it says."""
    page = b"<!doctype html><title>Welcome to the hotel</title><form>Room number</form>" * 50
    with SampleServer([], {"/e.mp3": answers(page, kind="text/html"), "/f.mp3": answers(page)}) as site:
        told = reason(f"{site.url}/e.mp3", tmp_path)
        assert isinstance(told, NoMedia) and not told.counts_at_once
        with pytest.raises(CorruptMedia) as caught:
            probe(download(f"{site.url}/f.mp3", tmp_path, "y", HERE).path)
        assert not caught.value.counts_at_once


def test_a_name_that_is_private_now_and_public_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a captive portal, or while a DNS server is being set up: no verdict, and no request."""
    given = iter(["10.0.0.1"])
    real = socket.getaddrinfo

    def answer(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real(next(given, "127.0.0.1") if host == "moving.test" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with SampleServer([], {"/e.mp3": answers(SOUND)}) as site:
        url = f"{site.url}/e.mp3".replace("127.0.0.1", "moving.test")
        refused = reason(url, tmp_path, SourceOptions(retries=0))
        assert type(refused) is AddressRefused and not refused.counts_at_once and not stops_run(refused)
        assert site.requests == []
        assert download(url, tmp_path, "x", HERE).bytes == len(SOUND)


@pytest.mark.slow
def test_too_many_open_files(tmp_path: Path) -> None:
    """A leak somewhere else in the process: nothing of it is the file's or the site's."""
    (tmp_path / "original.mp3").write_bytes(SOUND)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    with SampleServer([], {"/e.mp3": answers(SOUND)}) as site:
        use_once(site)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 8, hard))
            use_up(held)
            with pytest.raises(ChannelscribeError) as of_ffmpeg:
                run_ffmpeg(tmp_path / "original.mp3", ["-f", "null", "-"], 20)
            use_up(held)
            with pytest.raises(ChannelscribeError) as of_site:
                download(f"{site.url}/e.mp3", tmp_path, "x", HERE)
        finally:
            for descriptor in held:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for error in (of_ffmpeg.value, of_site.value):
        assert isinstance(error, MachineError) and stops_run(error), repr(error)


def use_up(held: list[int]) -> None:
    gc.collect()  # what is garbage holds files, too
    with pytest.raises(OSError, match="Too many open files"):
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))


def use_once(site: SampleServer) -> None:
    """What is imported at the first use needs files, too."""
    ffmpeg_path()
    with pytest.raises(SourceError):
        list_source(f"{site.url}/nothing", HERE)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """64 KB, or as many as 12 files; needs root."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounts a tmpfs: needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=12", "tmpfs", place], check=False).returncode:
        pytest.skip("this root may not mount")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_fills_up_during_a_download(small_disk: Path) -> None:
    with SampleServer([], {"/e.mp3": answers(SOUND)}) as site:
        found = reason(f"{site.url}/e.mp3", small_disk)
    assert type(found) is StoreNotWritable and stops_run(found) and found.remedy


def test_a_disk_without_another_inode(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        for number in range(20):
            (small_disk / str(number)).touch()
    assert type(as_ours(caught.value)) is StoreNotWritable
    with pytest.raises(StoreNotWritable):
        MediaStore(str(small_disk / "library")).put_bytes(b"x", "audio_files/a/b/c.mp3")


def test_no_place_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.gettempdir()
    found = as_ours(caught.value)
    assert type(found) is MachineError and "TMPDIR" in found.remedy


HOLE, UTF_16 = b"CHANNELSCRIBE_DATA_DIR=/tmp/da\0ta\n", "CHANNELSCRIBE_LOG_LEVEL=DEBUG\n".encode("utf-16")


@pytest.mark.parametrize("content", [HOLE, UTF_16], ids=["NUL", "UTF-16"])
def test_settings_with_a_hole_in_them(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(InvalidSetting) as caught:
        SettingsRegistry(environ={}, folder=tmp_path).resolve()
    assert "UTF-8" in caught.value.remedy and ".env" in caught.value.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), OutOfMemory),
        (RuntimeError("CUDA failed with error out of memory"), OutOfMemory),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"), OutOfMemory),
        (OSError(errno.EROFS, "Read-only file system", "/data"), MachineError),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/data"), StoreNotWritable),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), MachineError),
        (ProgramFailed("ffmpeg was killed"), ProgramFailed),
    ],
)
def test_the_machines_is_found_under_what_hides_it(error: Exception, kind: type[ChannelscribeError]) -> None:
    hidden = ValueError("it did not work")
    hidden.__cause__ = error
    assert type(as_ours(hidden)) is kind and stops_run(hidden)


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError(111, "refused"), PermissionError(13, "a firewall"), ValueError("a bug"), KeyError("x")],
)
def test_what_is_not_the_machines_is_not_called_so(error: Exception) -> None:
    assert as_ours(error).reason == "internal" and not stops_run(error)
