"""Listings become sets: new, changed, gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial

import pytest

from channelscribe.catalogue import leases, listings, transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.discovery import list_source
from channelscribe.errors import NotYet
from channelscribe.sample.server import SampleServer
from channelscribe.settings import FilterOptions, SourceOptions
from channelscribe.sources.listing import ListedVideo, Listing
from tests.catalogue.records import OWNER, Listed, Video, published, spoken


def test_new_changed_and_gone(catalogue: Database) -> None:
    first = catalogue.run(listings.record_listing, Listed([Video("a"), Video("b"), Video("c")]))
    again = catalogue.run(listings.record_listing, Listed([Video("a"), Video("b"), Video("c")]))
    later = catalogue.run(listings.record_listing, Listed([Video("b", "Another title"), Video("c"), Video("d")]))
    assert (first.listed, first.new, first.changed, first.gone) == (3, 3, 0, 0)
    assert (again.listed, again.new, again.changed, again.gone) == (3, 0, 0, 0)
    assert (later.listed, later.new, later.changed, later.gone) == (3, 1, 1, 1)
    assert [row.video_id for row in catalogue.run(leases.due, later.source_pk)] == ["b", "c", "d"]
    assert {row.video_id for row in catalogue.run(videos.list_videos, later.source_pk)} == {"a", "b", "c", "d"}


def test_a_feed_that_has_not_changed_keeps_its_title(catalogue: Database) -> None:
    """Its videos that are still due are tagged with it, and their transcripts name it."""
    options = SourceOptions(allow_private_addresses=True)
    with SampleServer() as site:
        first, again = (list_source(catalogue, site.feed_url, options, FilterOptions()) for _ in range(2))
    assert (again.new, again.changed, again.listed) == (0, 0, first.listed)
    assert again.title == first.title == "Rails, Rain and Rockets"


def test_a_vanished_video_comes_back(catalogue: Database) -> None:
    for listed in ([Video("a"), Video("b")], [Video("b")], [Video("a"), Video("b")]):
        report = catalogue.run(listings.record_listing, Listed(listed))
    assert (report.new, report.gone, len(catalogue.run(leases.due, report.source_pk))) == (0, 0, 2)


def test_a_part_of_a_listing_makes_nothing_vanish(catalogue: Database) -> None:
    catalogue.run(listings.record_listing, Listed([Video("a"), Video("b")]))
    assert catalogue.run(listings.record_listing, Listed([Video("b")], complete=False)).gone == 0


def test_a_video_listed_twice_counts_once(catalogue: Database) -> None:
    report = catalogue.run(listings.record_listing, Listed([Video("a", "first"), Video("a", "second")]))
    assert (report.listed, report.new) == (1, 1)
    assert catalogue.run(videos.find_videos, "a")[0].title == "first"


def test_what_a_listing_leaves_out_stays_known(catalogue: Database) -> None:
    catalogue.run(listings.record_listing, Listed([Video("a", "Known", duration=9.0, description="about")]))
    flat = Video("a", "", duration=None, published=None)
    assert catalogue.run(listings.record_listing, Listed([flat])).changed == 0
    row = catalogue.run(videos.find_videos, "a")[0]
    assert (row.title, row.duration, row.description) == ("Known", 9.0, "about")
    assert row.published == date(2024, 5, 1)


def test_a_video_of_two_sources_is_one_video(catalogue: Database) -> None:
    one = catalogue.run(listings.record_listing, Listed([Video("a")]))
    two = catalogue.run(listings.record_listing, Listed([Video("a")], url="https://www.youtube.com/playlist?list=P"))
    assert (two.new, two.changed) == (0, 0)
    assert catalogue.run(leases.due, one.source_pk)[0].id == catalogue.run(leases.due, two.source_pk)[0].id


def test_an_upcoming_video_that_went_live_is_checked_at_once(catalogue: Database) -> None:
    report = catalogue.run(listings.record_listing, Listed([Video("a", live_status="is_upcoming")]))
    row = catalogue.run(leases.claim, [catalogue.run(leases.due, report.source_pk)[0].id], OWNER, 60)[0]
    catalogue.run(videos.record_failure, row.id, OWNER, NotYet("It begins on Monday."))
    assert catalogue.run(leases.due, report.source_pk) == []
    catalogue.run(listings.record_listing, Listed([Video("a", live_status="was_live")]))
    assert [video.id for video in catalogue.run(leases.due, report.source_pk)] == [row.id]


def test_the_same_listings_at_once(catalogue: Database) -> None:
    listed = [Video(f"v{n}") for n in range(200)]
    orders = [Listed(listed, url="u1"), Listed(listed[::-1], url="u2"), Listed(listed[50:] + listed[:50], url="u3")]
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(partial(catalogue.run, listings.record_listing), orders * 5))
    assert sum(report.new for report in reports) == 200
    assert sum(report.changed + report.gone for report in reports) == 0


def test_limit_and_order(catalogue: Database) -> None:
    videos = [
        Video("old", published=date(2020, 1, 1), position=2),
        Video("new", published=date(2024, 1, 1), position=1),
        Video("undated", published=None, position=0),
    ]  # without all dates, the source's own order counts
    pk = catalogue.run(listings.record_listing, Listed(videos)).source_pk
    assert [row.video_id for row in catalogue.run(leases.due, pk)] == ["undated", "new", "old"]
    assert [row.video_id for row in catalogue.run(leases.due, pk, limit=1)] == ["undated"]
    assert [row.video_id for row in catalogue.run(leases.claim_next, pk, OWNER, 60, 2)] == ["undated", "new"]
    assert [row.video_id for row in catalogue.run(leases.claim_next, pk, OWNER, 60, 2)] == ["old"]


def test_a_short_look_keeps_the_order_and_full_ones_are_due_by_the_clock(catalogue: Database) -> None:
    url = Listed().url
    assert catalogue.run(listings.full_listing_due, url, 24)
    catalogue.run(listings.record_listing, Listed([Video("b", position=0), Video("a", position=1)]))
    assert not catalogue.run(listings.full_listing_due, url, 24)
    assert catalogue.run(listings.full_listing_due, url, 0)
    short = [Video("c", position=0), Video("b", position=1)]
    pk = catalogue.run(listings.record_listing, Listed(short, complete=False)).source_pk
    assert [row.video_id for row in catalogue.run(leases.due, pk)] == ["c", "b", "a"]


def test_looks_at_the_newest_one_after_another_order_rightly(catalogue: Database) -> None:
    """However many each of them reads: what came last stands first."""
    known = [Video(f"a{n:02}", position=n) for n in range(60)]
    catalogue.run(listings.record_listing, Listed(known))
    long_look = [Video("d"), Video("c"), Video("b"), *known]
    long_look = [replace(video, position=place) for place, video in enumerate(long_look)]
    catalogue.run(listings.record_listing, Listed(long_look, complete=False))
    pk = catalogue.run(
        listings.record_listing, Listed([Video("e", position=0), Video("d", position=1)], complete=False)
    ).source_pk
    assert [row.video_id for row in catalogue.run(leases.due, pk, limit=5)] == ["e", "d", "c", "b", "a00"]


def test_the_newest_of_all_tabs_comes_first(catalogue: Database) -> None:
    videos = [
        Video("video-new", published=date(2024, 5, 3), position=0, tab="videos"),
        Video("video-old", published=date(2024, 5, 1), position=1, tab="videos"),
        Video("short-newest", published=date(2024, 5, 4), position=2, tab="shorts"),
        Video("short-same-day", published=date(2024, 5, 1), position=3, tab="shorts"),
    ]
    pk = catalogue.run(listings.record_listing, Listed(videos)).source_pk
    in_order = [row.video_id for row in catalogue.run(leases.due, pk)]
    assert in_order == ["short-newest", "video-new", "video-old", "short-same-day"]
    playlist = Listed(videos, url="https://www.youtube.com/playlist?list=P", kind="playlist")
    pk = catalogue.run(listings.record_listing, playlist).source_pk
    assert [row.video_id for row in catalogue.run(leases.due, pk)] == [video.video_id for video in videos]


def test_whether_all_were_listed(catalogue: Database) -> None:
    url = Listed().url
    assert not catalogue.run(listings.all_listed, url, [Video("a")])
    catalogue.run(listings.record_listing, Listed([Video("a"), Video("b")]))
    assert catalogue.run(listings.all_listed, url, [Video("b"), Video("a")])
    assert not catalogue.run(listings.all_listed, url, [Video("a"), Video("c")])
    assert not catalogue.run(listings.all_listed, "https://www.youtube.com/@other", [Video("a")])
    catalogue.run(listings.record_listing, Listed([Video("b")]))
    assert not catalogue.run(listings.all_listed, url, [Video("a")])  # it had vanished


def test_a_date_that_is_known_stays(catalogue: Database) -> None:
    """Listings may tell dates in words ("a year ago"), pages tell them exactly."""
    pk = catalogue.run(listings.record_listing, Listed([Video("a", published=None)])).source_pk
    row = catalogue.run(leases.claim_next, pk, OWNER, 60, 1)[0]
    catalogue.run(videos.record_details, row.id, OWNER, published=date(2024, 3, 7))
    catalogue.run(listings.record_listing, Listed([Video("a", published=date(2024, 5, 1))]))
    assert catalogue.run(videos.find_videos, "a")[0].published == date(2024, 3, 7)


def test_surrogates_and_nul_in_listings(catalogue: Database) -> None:
    catalogue.run(listings.record_listing, Listed([Video("a", "a\x00b\udcff\t\\N\n")]))
    assert catalogue.run(videos.find_videos, "a")[0].title == "ab?\t\\N\n"


def test_real_listing_records_fit(catalogue: Database) -> None:
    video = ListedVideo("a", "generic", "https://example.org/a.mp3", "A", 3.0)
    listing = Listing("generic", "feed", "A feed", "https://example.org/feed.xml", "feed")
    listing.videos.append(video)
    assert catalogue.run(listings.record_listing, listing).new == 1
    assert catalogue.run(videos.find_videos, "generic:a")[0].url == video.url


def test_finding_videos(catalogue: Database) -> None:
    catalogue.run(
        listings.record_listing, Listed([Video("a"), Video("7"), Video("a", site="vimeo", url="https://vimeo.com/a")])
    )
    seven = catalogue.run(videos.find_videos, "7")
    assert [row.video_id for row in seven] == ["7"]
    assert len(catalogue.run(videos.find_videos, "a")) == 2
    assert [row.site for row in catalogue.run(videos.find_videos, "vimeo:a")] == ["vimeo"]
    assert [row.site for row in catalogue.run(videos.find_videos, "https://vimeo.com/a")] == ["vimeo"]
    assert [row.id for row in catalogue.run(videos.find_videos, str(seven[0].id))] == [seven[0].id]
    for nothing in ("", "nope", "9" * 30, "²", "a\x00b", "'--"):
        assert catalogue.run(videos.find_videos, nothing) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "pasted",
    [
        "https://youtu.be/dQw4w9WgXcQ?si=abc",
        "youtu.be/dQw4w9WgXcQ",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://m.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=5s",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PLabcdefghijk&index=3",
        "https://www.youtube.com/live/dQw4w9WgXcQ?feature=share",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?start=5",
        " https://music.youtube.com/watch?v=dQw4w9WgXcQ ",
    ],
)
def test_what_people_paste_finds_the_video(catalogue: Database, pasted: str) -> None:
    catalogue.run(listings.record_listing, Listed([Video("dQw4w9WgXcQ"), Video("dQw4w9WgXcR")]))
    assert [row.video_id for row in catalogue.run(videos.find_videos, pasted)] == ["dQw4w9WgXcQ"]
    assert catalogue.run(videos.find_videos, pasted.replace("WgXcQ", "WgXcX")) == []


@pytest.mark.parametrize(
    "pasted",
    [
        "https://www.youtube.com/@one/",
        "http://m.youtube.com/@one/videos?app=desktop",
        "youtube.com/@One/streams",
        "https://www.youtube.com/channel/UC1",
        "youtube:uc1",
    ],
)
def test_what_people_paste_finds_the_channel(catalogue: Database, pasted: str) -> None:
    published(catalogue, spoken("One"), Video("a"))
    other = Listed(url="https://www.youtube.com/@other", source_id="UC2", title="Two")
    published(catalogue, spoken("Two"), Video("b"), other)
    assert [row.video_id for row in catalogue.run(transcripts.with_transcripts, pasted)] == ["a"]
