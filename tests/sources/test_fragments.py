"""Media in fragments (HLS): stale addresses, caps, and a process that is killed between two of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from channelscribe.errors import ChannelscribeError, MediaTooLarge, SourceBlocked
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import download as downloading
from channelscribe.sources import ytdlp
from channelscribe.sources.download import download

pytestmark = pytest.mark.slow

PIECES = [bytes([number]) * 40_000 for number in range(6)]
HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(ytdlp, "_pause", lambda n: 0.0)


@pytest.fixture
def stream(site: SampleServer) -> str:
    publish(site, PIECES)
    return f"{site.url}/list.m3u8"


def publish(site: SampleServer, pieces: list[bytes]) -> None:
    lines = [f"#EXTINF:10,\npiece{number}.ts" for number in range(len(pieces))]
    site.extra["/list.m3u8"] = (HEAD + "\n".join(lines) + "\n#EXT-X-ENDLIST\n").encode()
    for number, piece in enumerate(pieces):
        site.extra[f"/piece{number}.ts"] = piece


def failing(status: int) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def asked(site: SampleServer) -> list[str]:
    return [each.path for each in site.requests if each.path.startswith("/piece")]


def test_fragments_are_joined_and_nothing_is_left_over(
    site: SampleServer, stream: str, options: SourceOptions, tmp_path: Path
) -> None:
    got = download(stream, tmp_path, "one", options)
    assert got.path.read_bytes() == b"".join(PIECES)
    assert [each.name for each in tmp_path.iterdir()] == [got.path.name]
    assert asked(site) == [f"/piece{number}.ts" for number in range(6)]


def test_a_stale_fragment_asks_the_page_again_and_keeps_what_came(
    site: SampleServer, stream: str, options: SourceOptions, tmp_path: Path
) -> None:
    site.extra["/piece3.ts"] = failing(403)
    with pytest.raises(ChannelscribeError) as caught:
        download(stream, tmp_path, "one", options)
    assert caught.value.reason == "forbidden"
    assert asked(site) == [*(f"/piece{number}.ts" for number in range(4)), *["/piece3.ts"] * 2]
    site.extra["/piece3.ts"] = PIECES[3]
    assert download(stream, tmp_path, "one", options).path.read_bytes() == b"".join(PIECES)
    assert asked(site)[6:] == [f"/piece{number}.ts" for number in range(3, 6)]


def test_a_blocked_fragment_is_asked_for_once(
    site: SampleServer, stream: str, options: SourceOptions, tmp_path: Path
) -> None:
    site.extra["/piece1.ts"] = failing(429)
    with pytest.raises(SourceBlocked):
        download(stream, tmp_path, "one", options)
    assert asked(site) == ["/piece0.ts", "/piece1.ts"]


def test_fragments_of_another_recording_are_not_joined(
    site: SampleServer, stream: str, options: SourceOptions, tmp_path: Path
) -> None:
    site.extra["/piece3.ts"] = failing(404)
    with pytest.raises(ChannelscribeError):
        download(stream, tmp_path, "one", options)
    longer = [bytes(reversed(piece)) + b"x" for piece in PIECES] + [b"end"]
    publish(site, longer)
    assert download(stream, tmp_path, "one", options).path.read_bytes() == b"".join(longer)


def test_fragments_that_grow_too_large(site: SampleServer, stream: str, options: SourceOptions, tmp_path: Path) -> None:
    small = options.model_copy(update={"max_megabytes": 1})
    publish(site, [bytes(400_000)] * 6)
    with pytest.raises(MediaTooLarge):
        download(stream, tmp_path, "one", small)
    assert len(asked(site)) == 3
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from yt_dlp.downloader.fragment import FragmentFD
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.download import download
url, folder, moment = sys.argv[1:]
write, append = FragmentFD._write_ytdl_file, FragmentFD._append_fragment

def killed_before_the_note(self, ctx):
    if ctx["fragment_index"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, ctx)

def killed_before_the_join(self, ctx, content):
    if ctx["fragment_index"] == 3:
        ctx["dest_stream"].write(content[:1000])
        ctx["dest_stream"].flush()
        os.kill(os.getpid(), signal.SIGKILL)
    append(self, ctx, content)

if moment == "note":
    FragmentFD._write_ytdl_file = killed_before_the_note
else:
    FragmentFD._append_fragment = killed_before_the_join
download(url, Path(folder), "one", SourceOptions(allow_private_addresses=True))
"""


@pytest.mark.parametrize("moment", ["note", "join"])
def test_killed_between_two_fragments(
    site: SampleServer, stream: str, options: SourceOptions, tmp_path: Path, moment: str
) -> None:
    """Where yt-dlp's own note is one fragment behind the file, it would join that fragment twice."""
    run = subprocess.run([sys.executable, "-c", KILLED, stream, str(tmp_path), moment], check=False)
    assert run.returncode == -9
    assert download(stream, tmp_path, "one", options).path.read_bytes() == b"".join(PIECES)
    assert [asked(site).count(f"/piece{number}.ts") for number in range(6)] == [1] * 6
