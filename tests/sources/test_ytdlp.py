from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from channelscribe.errors import SourceError
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.download import download
from channelscribe.sources.listing import list_source
from channelscribe.sources.ytdlp import YtdlpLog, deno_path, open_ytdlp
from tests.standin.site import StandinSite, Video


def test_a_javascript_runtime_that_yt_dlp_accepts() -> None:
    with open_ytdlp(SourceOptions(), YtdlpLog()) as ydl:
        runtime = ydl._js_runtimes["deno"].info
    assert runtime is not None and runtime.supported and runtime.path == deno_path()


OURS = """
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.ytdlp import YtdlpLog, open_ytdlp
with open_ytdlp(SourceOptions(), YtdlpLog()) as ydl:
    assert not ydl.params.get("exec_cmd") and not ydl.params["usenetrc"] and not ydl.params["remote_components"]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("code", "loads"), [(OURS, False), ("import yt_dlp; yt_dlp.YoutubeDL()", True)])
def test_a_persons_own_plugins_and_configuration_are_left_alone(tmp_path: Path, code: str, loads: bool) -> None:
    plugins = tmp_path / "yt-dlp" / "plugins" / "mine" / "yt_dlp_plugins" / "extractor"
    plugins.mkdir(parents=True)
    (plugins / "mine.py").write_text("raise SystemExit('loaded')")
    (tmp_path / "yt-dlp" / "config").write_text("--nonsense")
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (run.stdout, run.stderr.strip()) == ("", "loaded" if loads else "")


def test_the_cookies_file_is_read_and_never_written(tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    text = "# Netscape HTTP Cookie File\n.example.org\tTRUE\t/\tFALSE\t2145916800\tsession\tsecret\n"
    cookies.write_text(text)
    cookies.chmod(0o600)
    with open_ytdlp(SourceOptions(cookies_file=cookies), YtdlpLog()) as ydl:
        assert [each.name for each in ydl.cookiejar] == ["session"]
        ydl.cookiejar.clear()
    assert cookies.read_text() == text


def test_what_yt_dlp_says_is_logged_without_what_is_secret_in_addresses(caplog: pytest.LogCaptureFixture) -> None:
    """Its own lists keep the words: they are classified."""
    caplog.set_level(logging.DEBUG, "channelscribe.sources.ytdlp")
    log = YtdlpLog()
    for say in (log.debug, log.warning, log.error):
        say("Got https://user:pa55@example.org/x?sig=s1gned from there")
    assert caplog.messages == ["Got https://example.org/x from there"] * 3
    assert len(log.warnings + log.errors) == 2


def test_a_traceback_has_no_words_of_yt_dlps(tmp_path: Path) -> None:
    """Its error may quote an address as it is, and what is raised from it is written with it."""
    with StandinSite(b"no sound") as site:
        site.alone.append(Video("v", says="See https://user:pa55@example.org/x?sig=s1gned", says_as="unexpected"))
        options = SourceOptions(allow_private_addresses=True, retries=0)
        with pytest.raises(SourceError) as downloaded:
            download(site.video_url("v"), tmp_path, "v", options)
        with pytest.raises(SourceError) as listed:
            list_source(site.video_url("v"), options)
    for raised in (downloaded, listed):
        written = "".join(traceback.format_exception(raised.value))
        assert "https://example.org/x" in written
        assert "pa55" not in written and "s1gned" not in written
