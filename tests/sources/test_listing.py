from __future__ import annotations

import re
from datetime import date

import pytest

from channelscribe.errors import NoMedia, NotAURL, SourceNotFound, SourceUnreachable
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.identifiers import safe_id
from channelscribe.sources.listing import list_source


def test_a_feed(site: SampleServer, options: SourceOptions) -> None:
    listing = list_source(site.feed_url, options)
    assert (listing.site, listing.kind, listing.title) == ("feed", "feed", "The Channel")
    first = next(iter(listing.videos))
    assert (first.guid, first.url, first.title) == (
        "tide-tables", f"{site.url}/media/one.mp3", "../../etc/passwd"
    )  # fmt: skip
    assert first.video_id.startswith("tide-tables-")
    assert (first.duration, first.published, first.description) == (62.0, date(2023, 1, 2), "About tides.")
    assert [video.position for video in listing.videos] == [0, 1, 2, 3]
    assert len({video.video_id for video in listing.videos}) == 4
    assert listing.notes == ["4 listed, 1 without a file to play, 1 there twice"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,100}", video.video_id) for video in listing.videos)
    assert len(site.requests) == 1


@pytest.mark.parametrize(("zone", "day"), [("UTC", 2), ("America/New_York", 1), ("Pacific/Kiritimati", 2)])
def test_days_are_the_users(site: SampleServer, options: SourceOptions, zone: str, day: int) -> None:
    """The episode came out on 2023-01-01 at 23:30 -0500."""
    listing = list_source(site.feed_url, options.model_copy(update={"timezone": zone}))
    assert next(iter(listing.videos)).published == date(2023, 1, day)


def test_ids_are_stable_and_serial_numbers_are_not_shared(site: SampleServer, options: SourceOptions) -> None:
    ids = [video.video_id for video in list_source(site.feed_url, options).videos]
    assert ids == [video.video_id for video in list_source(site.feed_url, options).videos]
    assert ids[1] != "12" and ids[1].startswith("12-")


def test_spaces_in_addresses_are_escaped(site: SampleServer, options: SourceOptions) -> None:
    assert list(list_source(site.feed_url, options).videos)[2].url.endswith("/media/with%20space%20and%20more.mp3")


def test_a_direct_address_is_one_video(site: SampleServer, options: SourceOptions) -> None:
    listing = list_source(f"{site.url}/media/one.mp3", options)
    assert (listing.kind, len(listing.videos)) == ("video", 1)
    video = next(iter(listing.videos))
    assert listing.source_id == video.video_id
    assert video.title == "one"


def test_a_page_without_media(site: SampleServer, options: SourceOptions) -> None:
    with pytest.raises(NoMedia):
        list_source(f"{site.url}/page.html", options)


def test_a_page_that_is_not_there(site: SampleServer, options: SourceOptions) -> None:
    with pytest.raises(SourceNotFound, match="404"):
        list_source(f"{site.url}/gone.xml", options)


def test_nobody_listens(options: SourceOptions) -> None:
    with pytest.raises(SourceUnreachable, match="refused"):
        list_source("http://127.0.0.1:9/feed.xml", options)


def test_nothing_is_printed(site: SampleServer, options: SourceOptions, capfd: pytest.CaptureFixture[str]) -> None:
    list_source(site.feed_url, options)
    with pytest.raises(NoMedia):
        list_source(f"{site.url}/page.html", options)
    with pytest.raises(NotAURL):
        list_source("nothing", options)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("raw", ["dQw4w9WgXcQ", "-abc_DEF", "x" * 100])
def test_safe_ids_stay(raw: str) -> None:
    assert safe_id(raw) == raw


@pytest.mark.parametrize("raw", ["", ".", "..", "../../x", "a\x00b", "ü" * 300, "x" * 101, "a/b", "a b", "\udcff", "‮x"])
def test_other_ids_become_safe_and_stay_different(raw: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}", safe_id(raw))
    assert safe_id(raw) != safe_id(raw + "!")
