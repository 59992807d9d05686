"""The canary: one page and the start of a video, with its verdict; and the state of what fetching stands on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from channelscribe.errors import ChannelscribeError, CorruptMedia, NoMedia, SourceBlocked, VideoUnavailable
from channelscribe.sample import world
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import environment
from channelscribe.sources.canary import ENOUGH_BYTES, try_canary
from tests.standin.channels import Generated, Video
from tests.standin.site import StandinSite


@pytest.fixture
def standin() -> Iterator[StandinSite]:
    with StandinSite() as running:
        running.alone.append(Video("aaa", title="A canary"))
        yield running


def test_the_start_of_a_video_is_enough(standin: StandinSite, options: SourceOptions) -> None:
    standin.video("aaa").media = standin.sound * 20  # type: ignore[union-attr]
    sung = try_canary(standin.video_url("aaa"), options)
    assert (sung.title, sung.format_id, sung.language) == ("A canary", "140", "en")
    assert sung.seconds is not None and sung.seconds > 5
    assert 0 < sung.bytes <= ENOUGH_BYTES
    assert len(standin.page_requests()) == len(standin.media_requests()) == 1
    assert sum(each.bytes_sent for each in standin.media_requests()) <= ENOUGH_BYTES


def test_the_first_video_of_a_long_channel(standin: StandinSite, options: SourceOptions) -> None:
    channel = standin.channel("news", Video("first"))
    channel.tabs["videos"] = Generated(5000, lambda number: Video(f"v{number:06}"))
    assert try_canary(channel.url, options).title == "v000000"
    assert len(standin.listing_requests) <= 3
    assert len(standin.media_requests()) == 1


def test_a_server_that_sends_more_than_it_is_asked_for(standin: StandinSite, options: SourceOptions) -> None:
    video = Video("big", media=standin.sound * 200, chunked=True, filesize=None)
    standin.alone.append(video)
    assert try_canary(standin.video_url("big"), options).bytes <= ENOUGH_BYTES + (1 << 16)


@pytest.mark.parametrize(
    ("video", "status", "error"),
    [
        (Video("bad", says="Private video"), None, VideoUnavailable),
        (Video("bad", refused_signatures=9), None, ChannelscribeError),
        (Video("bad"), 429, SourceBlocked),
        (Video("bad", media=bytes(50_000)), None, CorruptMedia),
    ],
)
def test_what_fails_says_why(
    standin: StandinSite, options: SourceOptions, video: Video, status: int | None, error: type[Exception]
) -> None:
    standin.alone.append(video)
    if status:
        standin.fail("media", status)
    with pytest.raises(error):
        try_canary(standin.video_url("bad"), options)


def test_an_empty_list(standin: StandinSite, options: SourceOptions) -> None:
    with pytest.raises(NoMedia):
        try_canary(standin.playlist("PL0").url, options)


def test_a_feed_and_its_enclosure(options: SourceOptions) -> None:
    with SampleServer() as server:
        sung = try_canary(server.feed_url, options)
        assert sung.seconds is not None and sung.bytes > 0
        episode = world.episode("night-train")
        assert try_canary(f"{server.url}/media/{episode.media}", options).seconds


def test_the_state_of_yt_dlp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not environment.is_older(environment.ytdlp_version(), environment.LEAST_YTDLP)
    assert environment.is_older("2026.06.30", "2026.7.4") and not environment.is_older("2026.07.04", "2026.7.4")
    monkeypatch.setattr(environment, "ytdlp_version", lambda: "2026.08.19.232000.dev0")
    assert environment.ytdlp_age_days(date(2026, 8, 29)) == 10
    monkeypatch.setattr(environment, "ytdlp_version", lambda: "unknown")
    assert environment.ytdlp_age_days() is None
    found = environment.deno_version()
    assert found is not None and not environment.is_older(found, environment.LEAST_DENO)
    installed, wanted = environment.ejs_versions()
    assert installed == wanted is not None
    monkeypatch.setattr(environment, "deno_path", lambda: str(tmp_path / "none"))
    assert environment.deno_version() is None


def test_the_least_version_is_that_of_the_package() -> None:
    project = (Path(__file__).parent.parent.parent / "pyproject.toml").read_text()
    assert f'"yt-dlp[default]>={environment.LEAST_YTDLP}"' in project
    assert f'"deno>={environment.LEAST_DENO}"' in project
