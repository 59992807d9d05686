from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.extractor.common import InfoExtractor  # type: ignore[import-untyped]

from channelscribe.errors import InvalidSetting
from channelscribe.settings.options import SourceOptions
from channelscribe.sites import listing
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
    with open_ytdlp(SourceOptions(cookies_file=cookies), YtdlpLog()) as ydl:
        assert [each.name for each in ydl.cookiejar] == ["session"]
        ydl.cookiejar.clear()
    assert cookies.read_text() == text


def test_a_cookies_file_that_is_not_there() -> None:
    with pytest.raises(InvalidSetting, match="cookies"):
        open_ytdlp(SourceOptions(cookies_file=Path("/nowhere/cookies.txt")), YtdlpLog())


class StandInTabIE(InfoExtractor):  # type: ignore[misc]
    """A channel with two tabs, as YouTube's extractor gives it."""

    _VALID_URL = r"https?://stand\.in/(?P<id>[a-z]+)$"
    IE_NAME = "standin:tab"
    _RETURN_TYPE = "playlist"

    def _real_extract(self, url: str) -> Any:
        name = self._match_id(url)
        if name == "channel":
            tabs = [self.url_result(f"https://stand.in/{tab}", StandInTabIE) for tab in ("videos", "streams")]
            return self.playlist_result(tabs, "UC1", "A channel", channel_id="UC1")
        ids = {"videos": ("aaa", "bbb"), "streams": ("bbb", "ccc")}[name]
        videos = [self.url_result(f"https://stand.in/v/{each}", StandInIE, each, each.upper()) for each in ids]
        return self.playlist_result(videos, "UC1", name, channel_id="UC1")


class StandInIE(InfoExtractor):  # type: ignore[misc]
    _VALID_URL = r"https?://stand\.in/v/(?P<id>.+)"
    IE_NAME = "standin"
    _RETURN_TYPE = "video"


def test_the_tabs_of_a_channel_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_stand_in(*args: object, **kwargs: object) -> object:
        ydl = open_ytdlp(*args, **kwargs)  # type: ignore[arg-type]
        for extractor in (StandInIE(), StandInTabIE()):
            ydl.add_info_extractor(extractor)
            ydl._ies = {extractor.ie_key(): extractor, **ydl._ies}
        return ydl

    monkeypatch.setattr(listing, "open_ytdlp", with_stand_in)
    monkeypatch.setattr(listing, "check_url", lambda *_: None)
    found = listing.list_source("https://stand.in/channel", SourceOptions())
    assert (found.site, found.source_id, found.kind) == ("standin", "UC1", "channel")
    assert [(video.video_id, video.site) for video in found.videos] == [
        ("aaa", "standin"), ("bbb", "standin"), ("ccc", "standin")
    ]  # fmt: skip
