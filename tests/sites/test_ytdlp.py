from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from channelscribe.settings.options import SourceOptions
from channelscribe.sites.ytdlp import YtdlpLog, deno_path, open_ytdlp


def test_a_javascript_runtime_that_yt_dlp_accepts() -> None:
    with open_ytdlp(SourceOptions(), YtdlpLog()) as ydl:
        runtime = ydl._js_runtimes["deno"].info
    assert runtime is not None and runtime.supported and runtime.path == deno_path()


OURS = """
from channelscribe.settings.options import SourceOptions
from channelscribe.sites.ytdlp import YtdlpLog, open_ytdlp
with open_ytdlp(SourceOptions(), YtdlpLog()) as ydl:
    assert not ydl.params.get("exec_cmd") and not ydl.params["usenetrc"] and not ydl.params["remote_components"]
"""


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
