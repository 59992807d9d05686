"""What fails at the stand-in site fails as told, and our own listing and download see it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
import yt_dlp  # type: ignore[import-untyped]

from channelscribe.errors import ChannelscribeError, SourceBlocked, SourceUnreachable
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.download import download
from channelscribe.sources.listing import list_source
from tests.standin.site import StandinSite, Video
from tests.standin.test_standin import flat, ids


def fetch(site: StandinSite, video_id: str, folder: Path, options: SourceOptions) -> bytes:
    return download(site.video_url(video_id), folder, video_id, options).path.read_bytes()


def test_our_own_listing_and_download(site: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    site.page_size = 2
    news = site.channel("news", *(Video(f"v{number}") for number in range(5)))
    listing = list_source(news.url, options)
    assert (listing.site, listing.source_id, listing.kind) == ("standin", "UCnews", "channel")
    assert [each.video_id for each in listing.videos] == [f"v{number}" for number in range(5)]
    assert not site.page_requests() and not site.media_requests()
    assert fetch(site, "v1", tmp_path, options) == site.sound
    assert len(site.page_requests("v1")) == len(site.media_requests("v1")) == len(site.media_requests()) == 1
    (asked,) = site.media_requests()
    assert (asked.method, asked.status, asked.bytes_sent) == ("GET", 200, len(site.sound)) and "/140." in asked.path
    assert [each.at for each in site.requests] == sorted(each.at for each in site.requests)


def test_too_many_requests_a_number_of_times(site: StandinSite, options: SourceOptions) -> None:
    news = site.channel("news", Video("aaa"))
    fault = site.fail("listing", 429, times=2, retry_after=3600)
    for _ in range(2):
        with pytest.raises(SourceBlocked) as caught:
            list_source(news.url, options)
        assert caught.value.reason == "rate_limited"
        assert caught.value.not_before is not None and caught.value.not_before > datetime.now(UTC)
    assert ids(flat(news.url)) == ["aaa"] and fault.hits == 2


@pytest.mark.slow
@pytest.mark.parametrize("on", ["page", "media"])
def test_too_many_requests_until_told(
    site: StandinSite, options: SourceOptions, tmp_path: Path, on: Literal["page", "media"]
) -> None:
    site.channel("news", Video("aaa"), Video("bbb"))
    site.fail(on, 429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT", containing="aaa")
    with pytest.raises(SourceBlocked):
        fetch(site, "aaa", tmp_path, options)
    assert fetch(site, "bbb", tmp_path, options) == site.sound
    site.heal()
    assert fetch(site, "aaa", tmp_path, options) == site.sound


@pytest.mark.parametrize("status", [500, None])
def test_a_listing_page_that_fails_half_way(site: StandinSite, status: int | None) -> None:
    site.page_size = 2
    news = site.channel("news", *(Video(f"v{number}") for number in range(5)))
    site.fail("listing", status, page=2)
    with pytest.raises(yt_dlp.DownloadError):
        flat(news.url, extractor_retries=0)
    site.heal()
    site.fail("listing", status, page=2, times=1)
    assert len(ids(flat(news.url, extractor_retries=1))) == 5  # yt-dlp asks again


def test_incomplete_data_ends_a_listing_without_an_error(site: StandinSite) -> None:
    site.page_size = 2
    news = site.channel("news", *(Video(f"v{number}") for number in range(5)))
    fault = site.fail("listing", 200, page=2)
    assert ids(flat(news.url, extractor_retries=0)) == ["v0", "v1"] and fault.hits == 1
    strict = {"youtube": {"raise_incomplete_data": [""]}}
    with pytest.raises(yt_dlp.DownloadError, match="Incomplete data"):
        flat(news.url, extractor_retries=0, extractor_args=strict)


def test_media_that_are_forbidden_after_a_good_listing(
    site: StandinSite, options: SourceOptions, tmp_path: Path
) -> None:
    site.channel("news", Video("aaa", refused_signatures=1))
    with yt_dlp.YoutubeDL({"quiet": True}) as ydl:
        first, second = (ydl.extract_info(site.video_url("aaa"), download=False)["formats"][0]["url"] for _ in range(2))
        with pytest.raises(yt_dlp.networking.exceptions.HTTPError, match="403"):
            ydl.urlopen(first)
        assert ydl.urlopen(second).status == 200
        site.expire_signatures()
        with pytest.raises(yt_dlp.networking.exceptions.HTTPError, match="403"):
            ydl.urlopen(second)
    assert fetch(site, "aaa", tmp_path, options) == site.sound


def test_signatures_that_are_used_up(site: StandinSite) -> None:
    site.signature_uses = 2
    site.alone = [Video("aaa")]
    with yt_dlp.YoutubeDL({"quiet": True}) as ydl:
        url = ydl.extract_info(site.video_url("aaa"), download=False)["formats"][0]["url"]
        assert [ydl.urlopen(url).status for _ in range(2)] == [200, 200]
        with pytest.raises(yt_dlp.networking.exceptions.HTTPError, match="403"):
            ydl.urlopen(url)


def test_media_that_are_cut_are_resumed(site: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    whole = site.sound * 40  # yt-dlp writes what came in blocks; it loses the last one
    site.alone = [Video("aaa", media=whole, cut_after=len(whole) - 5000)]
    with pytest.raises(ChannelscribeError):
        fetch(site, "aaa", tmp_path, options)
    assert fetch(site, "aaa", tmp_path, options) == whole
    first, *_, last = site.media_requests("aaa")
    assert (first.status, first.bytes_sent, last.status) == (200, len(whole) - 5000, 206)


def test_media_without_a_length_and_a_wrong_one(site: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    site.alone = [Video("aaa", chunked=True, filesize=None), Video("bbb", duration=3600, media=b"x" * 100)]
    assert fetch(site, "aaa", tmp_path, options) == site.sound
    got = download(site.video_url("bbb"), tmp_path, "bbb", options)
    assert (got.bytes, got.announced_seconds) == (100, 3600)


def test_nothing_answers_when_told(site: StandinSite, options: SourceOptions, tmp_path: Path) -> None:
    site.alone = [Video("aaa")]
    site.fail("any", None, times=1)
    with pytest.raises(SourceUnreachable):
        fetch(site, "aaa", tmp_path, options)
    assert fetch(site, "aaa", tmp_path, options) == site.sound
