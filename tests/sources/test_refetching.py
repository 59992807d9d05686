"""Media that is refused, cut, changed or endless after a good page; the stand-in site's request log is the witness."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channelscribe.audio.prepare import prepare
from channelscribe.errors import (
    ChannelscribeError,
    MediaTooLarge,
    MediaTooLong,
    NotYet,
    SourceBlocked,
    SourceUnreachable,
    Then,
    TruncatedMedia,
)
from channelscribe.settings.audio import AudioOptions
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import download as downloading
from channelscribe.sources import ytdlp
from channelscribe.sources.download import Download, download
from tests.standin.channels import Video
from tests.standin.site import StandinSite

BLOCK = 1 << 16  # what is lost at most when a connection breaks
CUT = BLOCK + 1000
SOUND = b"\xff\xfb" + bytes(range(256)) * 800


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinSite]:
    monkeypatch.setattr(downloading, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(ytdlp, "_pause", lambda n: 0.0)
    with StandinSite(SOUND, seconds_of_sound=20) as running:
        yield running


def fetch(site: StandinSite, video: Video, folder: Path, options: SourceOptions, **more: Any) -> Download:
    if site.video(video.id) is None:
        site.alone.append(video)
    return download(site.video_url(video), folder, video.id, options, **more)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_the_original_language_without_pictures_is_fetched(
    standin: StandinSite, options: SourceOptions, tmp_path: Path
) -> None:
    got = fetch(standin, Video("aaa", language="fr"), tmp_path, options)
    assert got.path.read_bytes() == SOUND
    assert (got.format_id, got.language, got.announced_seconds) == ("140", "fr", 20)
    assert names(tmp_path) == ["aaa.mp3"]
    assert len(standin.page_requests("aaa")) == len(standin.media_requests("aaa")) == 1


def test_a_403_after_a_good_page_asks_the_page_again(
    standin: StandinSite, options: SourceOptions, tmp_path: Path
) -> None:
    got = fetch(standin, Video("aaa", refused_signatures=2), tmp_path, options)
    assert got.path.read_bytes() == SOUND
    assert len(standin.page_requests("aaa")) == 3
    assert [each.status for each in standin.requests if each.on == "media"] == [403, 403, 200]


def test_a_403_that_stays_is_tried_a_few_times_and_again_later(
    standin: StandinSite, options: SourceOptions, tmp_path: Path
) -> None:
    with pytest.raises(ChannelscribeError) as caught:
        fetch(standin, Video("aaa", refused_signatures=99), tmp_path, options)
    assert (caught.value.reason, caught.value.then) == ("forbidden", Then.RETRY_LATER)
    assert "403" in caught.value.message and "sig=" not in str(caught.value)
    assert len(standin.page_requests("aaa")) == 3
    assert names(tmp_path) == []


def test_an_address_that_expires_half_way_is_refreshed_and_the_part_goes_on(
    standin: StandinSite, options: SourceOptions, tmp_path: Path
) -> None:
    standin.signature_uses = 1
    video = Video("aaa", cut_after=CUT)
    assert fetch(standin, video, tmp_path, options).path.read_bytes() == SOUND
    media = [each for each in standin.requests if each.on == "media"]
    assert [each.status for each in media] == [200, 403, 206, 403, 206, 403, 206]
    assert sum(each.bytes_sent for each in media if each.status in (200, 206)) < len(SOUND) + 4 * 1000


@pytest.mark.parametrize("status", [404, 410])
def test_media_that_are_gone_say_nothing_of_the_video(
    standin: StandinSite, options: SourceOptions, tmp_path: Path, status: int
) -> None:
    fault = standin.fail("media", status)
    with pytest.raises(ChannelscribeError, match=str(status)) as caught:
        fetch(standin, Video("aaa"), tmp_path, options)
    assert (fault.hits, caught.value.then) == (3, Then.RETRY_LATER)


def test_a_block_is_not_asked_twice(standin: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    fault = standin.fail("media", 429, retry_after=7)
    with pytest.raises(SourceBlocked):
        fetch(standin, Video("aaa"), tmp_path, options)
    assert (fault.hits, len(standin.page_requests())) == (1, 1)


def test_a_server_that_fails_for_a_while(standin: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    fault = standin.fail("media", 503, times=2)
    assert fetch(standin, Video("aaa"), tmp_path, options).path.read_bytes() == SOUND
    assert fault.hits == 2
    standin.fail("media", 500)
    with pytest.raises(SourceUnreachable):
        fetch(standin, Video("bbb"), tmp_path, options)


def test_fewer_bytes_than_announced_are_never_the_whole(
    standin: StandinSite, options: SourceOptions, tmp_path: Path
) -> None:
    video = Video("aaa", cut_after=CUT)
    with pytest.raises(TruncatedMedia, match=f"{len(SOUND)} were announced"):
        fetch(standin, video, tmp_path, options)
    assert [each.range for each in standin.requests if each.on == "media"] == [
        None, f"bytes={BLOCK}-", f"bytes={2 * BLOCK}-"
    ]  # fmt: skip
    assert "aaa.mp3" not in names(tmp_path)
    video.cut_after = None
    assert fetch(standin, video, tmp_path, options).path.read_bytes() == SOUND
    assert standin.requests[-1].range == f"bytes={3 * BLOCK}-"


def test_fewer_bytes_than_the_page_announced(standin: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    """The server has only half of it, and says so; and one that does not say how much it has."""
    with pytest.raises(TruncatedMedia) as caught:
        fetch(standin, Video("aaa", filesize=2 * len(SOUND)), tmp_path, options)
    assert caught.value.then is Then.RETRY_LATER
    assert len(standin.media_requests("aaa")) == 1
    with pytest.raises(TruncatedMedia):
        fetch(standin, Video("bbb", filesize=len(SOUND) + 1, chunked=True), tmp_path, options)
    assert fetch(standin, Video("ccc", filesize=int(1.02 * len(SOUND))), tmp_path, options).bytes == len(SOUND)
    assert "aaa.mp3" not in names(tmp_path) and "bbb.mp3" not in names(tmp_path)


def test_no_length_at_all(standin: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    got = fetch(standin, Video("aaa", filesize=None, chunked=True), tmp_path, options)
    assert got.path.read_bytes() == SOUND


def test_a_part_of_another_file_is_not_continued(standin: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    video = Video("aaa", cut_after=CUT)
    with pytest.raises(TruncatedMedia):
        fetch(standin, video, tmp_path, options)
    video.media, video.cut_after = bytes(reversed(SOUND)), None  # as long, with another ETag
    standin.forget_requests()
    assert fetch(standin, video, tmp_path, options).path.read_bytes() == video.media
    assert [(each.range, each.status) for each in standin.media_requests("aaa")] == [(f"bytes={3 * BLOCK}-", 200)]


def test_a_part_of_another_size_is_not_even_asked_for(
    standin: StandinSite, options: SourceOptions, tmp_path: Path
) -> None:
    video = Video("aaa", cut_after=CUT)
    with pytest.raises(TruncatedMedia):
        fetch(standin, video, tmp_path, options)
    video.media, video.cut_after = SOUND + b"more", None
    standin.forget_requests()
    assert fetch(standin, video, tmp_path, options).path.read_bytes() == video.media
    assert [each.range for each in standin.media_requests("aaa")] == [None]


def test_caps_from_the_page(standin: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    with pytest.raises(MediaTooLong):
        fetch(standin, Video("aaa", duration=13 * 3600), tmp_path, options)
    with pytest.raises(MediaTooLarge):
        fetch(standin, Video("bbb", filesize=5 * 10**9), tmp_path, options)
    assert standin.media_requests() == []


@pytest.mark.parametrize("status", ["is_live", "is_upcoming", "post_live"])
def test_what_is_not_finished_waits(standin: StandinSite, options: SourceOptions, tmp_path: Path, status: str) -> None:
    with pytest.raises(NotYet):
        fetch(standin, Video("aaa", live_status=status), tmp_path, options)
    assert standin.media_requests() == []


def test_a_stream_that_just_ended_can_be_taken_as_it_is(
    standin: StandinSite, options: SourceOptions, tmp_path: Path
) -> None:
    got = fetch(standin, Video("aaa", live_status="post_live"), tmp_path, options, even_unfinished=True)
    assert got.path.read_bytes() == SOUND


def test_a_recording_that_is_minutes_short_is_noticed_when_it_is_decoded(
    options: SourceOptions, tmp_path: Path
) -> None:
    """Every byte came, but the page tells of ten minutes: pinchflat #395."""
    with StandinSite() as site:
        got = fetch(site, Video("aaa", live_status="was_live", duration=600), tmp_path, options)
    assert got.announced_seconds == 600
    with pytest.raises(TruncatedMedia, match="600") as caught:
        prepare(got.path, tmp_path / "out", AudioOptions(), {}, announced_seconds=got.announced_seconds)
    assert caught.value.then is Then.RETRY_LATER
