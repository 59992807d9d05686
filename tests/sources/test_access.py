"""The rest of the access to sites: proxy, players, extractor arguments; and that yt-dlp runs nothing of a person's."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import build_opener

import pytest
from pydantic import ValidationError

from channelscribe.errors import AddressRefused, ChannelscribeError
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import check_url
from channelscribe.sources.download import download
from channelscribe.sources.ytdlp import YtdlpLog, extractor_arguments, open_ytdlp, ytdlp_options

SECRET = "canary-3b7e"


class _Proxy(BaseHTTPRequestHandler):
    """Passes absolute URLs on, whatever their host, to the site under test."""

    asked: list[tuple[str, str | None]]
    site: str

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Proxy-Authorization")))
        path = "/" + self.path.split("/", 3)[3]
        with build_opener().open(f"{self.site}{path}") as answer:
            content = answer.read()
            self.send_response(200)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def proxy(site: SampleServer) -> Iterator[type[_Proxy]]:
    handler = type("Proxy", (_Proxy,), {"asked": [], "site": site.url})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    handler.url = f"http://user:{SECRET}@127.0.0.1:{server.server_address[1]}"
    yield handler
    server.shutdown()
    server.server_close()


def test_all_requests_go_through_the_proxy_which_knows_the_names(
    site: SampleServer, proxy: type[_Proxy], sound: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The host is in no DNS; private addresses need not be allowed for a proxy of one's own."""
    caplog.set_level(logging.DEBUG)
    options = SourceOptions(proxy=proxy.url, retries=0, timeout_seconds=5)  # type: ignore[attr-defined]
    got = download("http://media.invalid/media/one.mp3", tmp_path, "a", options)
    assert got.path.read_bytes() == sound
    ((url, authorization),) = proxy.asked
    assert url == "http://media.invalid/media/one.mp3" and authorization is not None
    assert SECRET not in repr(options) + caplog.text


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/x.mp3", "http://localhost/x.mp3", "http://a.localhost./x.mp3"]
)
def test_what_can_be_told_of_an_address_is_refused_before_the_proxy(
    site: SampleServer, proxy: type[_Proxy], tmp_path: Path, url: str
) -> None:
    options = SourceOptions(proxy=proxy.url, retries=0)  # type: ignore[attr-defined]
    with pytest.raises(AddressRefused):
        download(url.format(port=site.url.rpartition(":")[2]), tmp_path, "a", options)
    assert proxy.asked == site.requests == []


def test_a_proxy_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    options = SourceOptions(proxy=f"http://user:{SECRET}@127.0.0.1:9", retries=0, timeout_seconds=5)
    with pytest.raises(ChannelscribeError) as caught:
        download("http://media.invalid/a.mp3", tmp_path, "a", options)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__


def test_a_name_without_a_proxy_is_looked_up() -> None:
    with pytest.raises(AddressRefused):
        check_url("http://localhost:1/", False, proxied=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("proxy", f"ftp://user:{SECRET}@host"),
        ("proxy", SECRET),
        ("proxy", f"http://{SECRET}@host:port"),
        ("player_clients", f"web; {SECRET}"),
        ("extractor_args", f"youtube={SECRET}"),
        ("extractor_args", [f"youtube:a=b;={SECRET}"]),
    ],
)
def test_a_wrong_value_is_refused_and_not_repeated(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        SourceOptions.model_validate({field: value})
    assert SECRET not in str(caught.value)


def test_extractor_arguments_as_on_yt_dlps_command_line() -> None:
    options = SourceOptions.model_validate(
        {
            "player_clients": "default,-web_safari",
            "extractor_args": "youtube:po-token=web.gvs+XYZ,ios.gvs+A\\,B;skip=hls\n"
            "youtubepot-bgutilhttp:base_url=http://h:1",
        }
    )
    expected = {
        "youtube": {
            "po_token": ["web.gvs+XYZ", "ios.gvs+A,B"],
            "skip": ["hls"],
            "player_client": ["default", "-web_safari"],
        },
        "youtubepot-bgutilhttp": {"base_url": ["http://h:1"]},
    }
    assert extractor_arguments(options) == expected
    assert ytdlp_options(options, YtdlpLog())["extractor_args"] == expected
    with open_ytdlp(options, YtdlpLog()) as ydl:
        youtube = ydl.get_info_extractor("Youtube")
        assert youtube._configuration_arg("player_client") == ["default", "-web_safari"]
    assert "XYZ" not in repr(options)


RUN = """
import sys
from pathlib import Path
from channelscribe.errors import ChannelscribeError
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.download import download
url, folder = sys.argv[1:]
options = SourceOptions(allow_private_addresses=True, retries=0)
print(download(f"{url}/list.m3u8", Path(folder), "one", options).bytes)
try:
    download(f"{url}/for-ffmpeg.m3u8", Path(folder), "two", options)
except ChannelscribeError as error:
    print(error.reason)
"""
PROGRAMS = ("aria2c", "axel", "curl", "wget", "ffmpeg", "ffprobe", "avconv", "mplayer", "rtmpdump", "node")
HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:20\n"


@pytest.mark.slow
def test_no_other_program_no_netrc_and_no_persons_options(site: SampleServer, sound: bytes, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    (home / "bin").mkdir(parents=True)
    for name in PROGRAMS:
        program = home / "bin" / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {home}/ran\n')
        program.chmod(0o755)
    evil = f"--exec 'touch {home}/ran'\n--netrc-cmd 'touch {home}/ran'\n--downloader aria2c\n--output {home}/else\n"
    for place in (".config/yt-dlp/config", ".config/yt-dlp.conf", "yt-dlp.conf", ".yt-dlp.conf"):
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_text(evil)
    (home / ".netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    (home / ".netrc").chmod(0o600)
    authorizations = []

    def piece(handler: BaseHTTPRequestHandler) -> None:
        authorizations.append(handler.headers.get("Authorization"))
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(sound)))
        handler.end_headers()
        handler.wfile.write(sound)

    site.extra["/piece.ts"] = piece
    site.extra["/list.m3u8"] = f"{HEAD}#EXTINF:20,\npiece.ts\n#EXT-X-ENDLIST\n".encode()
    # yt-dlp leaves these to ffmpeg.
    site.extra["/for-ffmpeg.m3u8"] = f'{HEAD}#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:20,\npiece.ts\n'.encode()
    path = f"{home}/bin:{os.environ['PATH']}"
    environment = {**os.environ, "HOME": str(home), "PATH": path, "PYTHONPATH": str(Path.cwd())}
    environment.pop("XDG_CONFIG_HOME", None)
    run = subprocess.run(
        [sys.executable, "-c", RUN, site.url, str(out)],
        env=environment, cwd=home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    size, reason = run.stdout.split()
    assert (int(size), authorizations) == (len(sound), [None])
    assert reason
    ran = (home / "ran").read_text().splitlines() if (home / "ran").exists() else []
    assert set(ran) <= {"ffmpeg -bsfs"}  # its version is asked for; nothing is fetched with it
    assert not (home / "else").exists()
    assert [each.name for each in out.iterdir()] == ["one.mp4"]
