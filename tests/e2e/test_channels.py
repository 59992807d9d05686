"""Whole channels, again and again: the log of requests of a stand-in site is the witness."""

from __future__ import annotations

import itertools
import struct
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import av
import psycopg
import pytest

from channelscribe.catalogue import breakers, stats, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.tables import VideoRow
from channelscribe.local_stack import LocalStack
from channelscribe.sample.server import SampleServer
from tests.conftest import Cli
from tests.e2e.syncing import Summary, Syncs
from tests.standin.site import Generated, StandinSite, Video

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def sync(library: Database, data_dir: Path) -> Iterator[Syncs]:
    """Syncs on the shared stack, after the demo: the speech of the site's sound is known."""
    with Syncs(data_dir) as syncs:
        yield syncs


@pytest.fixture
def site(library: Database) -> Iterator[StandinSite]:
    library.run(breakers.close)
    with StandinSite() as running:
        yield running
    library.run(breakers.close)


def rows(library: Database, *ids: str) -> list[VideoRow]:
    return [next(row for row in library.run(videos.find_videos, each) if row.site == "standin") for each in ids]


def states(library: Database, *ids: str) -> list[tuple[str, str | None]]:
    return [(row.state, row.reason) for row in rows(library, *ids)]


def make_due(stack: LocalStack, statement: str) -> None:
    """Let time pass."""
    with psycopg.connect(stack.addresses.database_url or "") as connection:
        connection.execute(statement)


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def refused(summary: Summary) -> Counter[str]:
    return Counter(failure["reason"] for failure in summary["failures"])


def test_a_channel_again_and_again(sync: Syncs, site: StandinSite, library: Database) -> None:
    """Tabs, a video in two of them, one for members, one upcoming: each is asked for once, or never."""
    both = Video("ch-both", live_status="was_live")
    news = site.channel(
        "news",
        Video("ch-a"),
        both,
        Video("ch-members", availability="subscriber_only"),
        Video("ch-short", tab="shorts"),
        Video("ch-soon", tab="streams", live_status="is_upcoming", release_timestamp=int(time.time()) + 86400),
    )
    news.tabs["streams"] = [*news.tabs["streams"], both]
    first = sync(news.url)
    assert (first["listed"], first["new"], first["published"], first["failed"]) == (5, 5, 3, 0), first
    assert first["waiting"] == 1
    assert states(library, "ch-members", "ch-soon") == [("unavailable", "members_only"), ("waiting", "upcoming")]
    for _ in range(2):
        again = sync(news.url, full=True)
        assert (again["listed"], again["new"], again["published"], again["failed"]) == (5, 0, 0, 0)
    assert [len(site.media_requests(each)) for each in ("ch-a", "ch-both", "ch-short")] == [1, 1, 1]
    assert [len(site.page_requests(each)) for each in ("ch-members", "ch-soon")] == [0, 0]

    site.vanish("ch-a")
    news.publish(Video("ch-new"))
    replaced = sync(news.url, full=True)  # one went, one came: the count is the same
    assert (replaced["listed"], replaced["new"], replaced["published"]) == (5, 1, 1)
    assert states(library, "ch-a") == [("published", None)]  # its transcript stays


def test_each_refusal_has_its_reason_and_is_not_asked_again(sync: Syncs, site: StandinSite, library: Database) -> None:
    says = {
        "no-private": ("Private video. Sign in if you've been granted access to this video", "private"),
        "no-removed": ("This video has been removed by the uploader", "removed"),
        "no-geo": ("The uploader has not made this video available in your country", "geo_blocked"),
        "no-right": ("This video contains content from X, who has blocked it on copyright grounds", "copyright"),
        "no-age": ("Sign in to confirm your age. This video may be inappropriate for some users.", "age_gate"),
        "no-member": ("Join this channel to get access to members-only content like this video", "members_only"),
        "no-soon": ("Premieres in 3 hours", "upcoming"),
    }
    channel = site.channel("refusals", *(Video(each, says=text) for each, (text, _) in says.items()), Video("yes"))
    done = sync(channel.url)
    assert (done["published"], done["failed"], done["waiting"]) == (1, 6, 1), done
    assert [row.reason for row in rows(library, *says)] == [reason for _, reason in says.values()]
    assert refused(done) == Counter(reason for each, (_, reason) in says.items() if each != "no-soon")
    site.forget_requests()
    again = sync(channel.url)
    assert (again["published"], again["failed"]) == (0, 0)
    assert site.page_requests() == []
    tried = sync(channel.url, again=["members_only"])
    assert refused(tried) == Counter(["members_only"])
    assert [request.path.rpartition("=")[2] for request in site.page_requests()] == ["no-member"]


def test_filters_and_dates(sync: Syncs, site: StandinSite, library: Database) -> None:
    """A date that only the page tells is judged before anything is fetched, and then known."""
    channel = site.channel(
        "filtered",
        Video("f-trailer", title="Trailer: the film"),
        Video("f-long", duration=7200.0),
        Video("f-short", tab="shorts"),
        Video("f-old", listed={"timestamp": None}, timestamp=1_500_000_000),
    )
    filters = {
        "filters.not_title": "^trailer",
        "filters.max_minutes": 60,
        "filters.shorts": False,
        "filters.published_from": "2020-01-01",
    }
    dry = sync(channel.url, filters, dry_run=True)
    assert [(item["video"], item["why"]) for item in dry["due"]] == [("f-old", "not fetched yet")]
    assert {item["reason"] for item in dry["left_out"]} == {"filter_title", "filter_duration", "filter_shorts"}
    assert library.run(videos.find_videos, "f-old") == []
    done = sync(channel.url, filters)
    assert (done["published"], done["failed"]) == (0, 0), done
    assert [reason for _, reason in states(library, "f-trailer", "f-long", "f-short", "f-old")] == [
        "filter_title",
        "filter_duration",
        "filter_shorts",
        "filter_date",
    ]
    assert {state for state, _ in states(library, "f-trailer", "f-long", "f-short", "f-old")} == {"excluded"}
    assert site.media_requests() == []
    sync(channel.url, filters)
    assert len(site.page_requests("f-old")) == 1
    back = sync(channel.url, {**filters, "filters.published_from": None, "filters.not_title": None})
    assert back["published"] == 2, back
    assert states(library, "f-trailer", "f-old") == [("published", None)] * 2


def test_a_block_stops_the_source_until_its_time_is_over(
    sync: Syncs, site: StandinSite, library: Database, stack: LocalStack, cli: Cli
) -> None:
    channel = site.channel("blocked", *(Video(f"b-{n:02}") for n in range(12)))
    fault = site.fail("page", 429, retry_after=7200)
    done = sync(channel.url)
    assert done["published"] == 0
    assert set(refused(done)) == {"rate_limited"}, done
    assert fault.hits <= 2  # as many as were under way together
    assert {state for state, _ in states(library, *(f"b-{n:02}" for n in range(12)))} <= {"discovered", "retrying"}
    (block,) = library.run(stats.status).blocks
    assert (block.scope, block.reason) == ("standin", "rate_limited")
    assert block.until.timestamp() - time.time() > 7000  # as long as the site said

    site.forget_requests()
    refusal = sync(channel.url)
    assert refusal["reason"] == "rate_limited"
    assert "not asked until" in refusal["message"]
    other = sync(site.channel("other", Video("b-other")).url)
    assert other["reason"] == "rate_limited"  # another channel, the same site
    status = cli("status")
    assert "standin is not asked until" in status.out, str(status)
    told = cli("sync", channel.url, "--set", "sources.allow_private_addresses=true")
    assert told.code == 1
    assert "not asked until" in told.err.strip().splitlines()[-1]
    assert site.requests == []

    site.heal()
    make_due(stack, "UPDATE breaker SET open_until = now()")
    make_due(stack, "UPDATE video SET next_check_at = now() WHERE reason = 'rate_limited'")
    after = sync(channel.url, limit=2)
    assert after["published"] == 2, after
    assert library.run(stats.status).blocks == []


def test_what_may_be_a_ban_is_one_when_it_comes_in_a_row(sync: Syncs, site: StandinSite, library: Database) -> None:
    gone = "Video unavailable. This content isn't available."
    videos = [Video(f"s-{n}", says=gone) for n in range(8)]
    alone = sync(site.channel("one-gone", videos[0], Video("s-good")).url)
    assert refused(alone) == Counter(["not_available"])
    assert library.run(stats.status).blocks == []
    done = sync(site.channel("all-gone", *videos[1:]).url)
    assert "not_available" in refused(done)
    assert [block.scope for block in library.run(stats.status).blocks] == ["standin"]
    assert len(site.page_requests()) < 2 + 7
    # Those after the block were not asked for at all.
    assert {state for state, _ in states(library, *(video.id for video in videos))} == {"retrying", "discovered"}


def test_a_bot_check_on_the_listing(sync: Syncs, site: StandinSite, library: Database) -> None:
    channel = site.channel("robots", Video("r-a"))
    site.fail("listing", 429)
    first = sync(channel.url)
    assert first["reason"] == "rate_limited"
    asked = len(site.requests)
    assert sync(channel.url)["reason"] == "rate_limited"
    assert len(site.requests) == asked
    site.heal()
    assert sync(channel.url)["reason"] == "rate_limited"  # still open: nobody knows that it was healed
    assert sync(channel.url, again=["blocked"])["published"] == 1


def test_a_picture_becomes_the_cover(sync: Syncs, site: StandinSite, data_dir: Path) -> None:
    with SampleServer(items=[], extra={"/picture.png": png(64, 36)}) as pictures:
        channel = site.channel("covers", Video("cover-a", page={"thumbnail": f"{pictures.url}/picture.png"}))
        assert sync(channel.url)["published"] == 1
    with av.open(data_dir / "library" / "audio_files" / "standin" / "cover-a.mp3") as archive:
        (picture,) = archive.streams.video
        assert (picture.codec_context.width, picture.codec_context.height) == (64, 36)
        assert archive.metadata["title"] == "cover-a"


def test_a_403_on_media_gets_a_fresh_address(sync: Syncs, site: StandinSite) -> None:
    channel = site.channel("expiring", Video("e-a", refused_signatures=1))
    assert sync(channel.url)["published"] == 1
    assert (len(site.page_requests("e-a")), len(site.media_requests("e-a"))) == (2, 1)


def test_a_listing_that_fails_half_way(sync: Syncs, site: StandinSite, library: Database) -> None:
    """What was listed is worked on, nothing counts as gone, and the next sync reads it again."""
    site.page_size = 2
    channel = site.channel("half", *(Video(f"h-{n}", says="Private video") for n in range(6)))
    assert sync(channel.url)["new"] == 6
    channel.publish(Video("h-new", says="Private video"))
    for status in (500, None, 200):
        site.fail("listing", status, page=2)
        partial = sync(channel.url, full=True)
        assert partial["incomplete"], partial
        assert (partial["listed"], partial["new"]) == (2, int(status == 500))
        site.heal()
    pk = next(source.id for source in library.run(videos.sources) if source.url == channel.url)
    whole = sync(channel.url)
    assert (whole["listed"], whole["new"], whole["incomplete"]) == (7, 0, None)
    assert next(row.video_id for row in library.run(videos.list_videos, pk)) == "h-new"


def test_a_short_look_and_a_full_one(sync: Syncs, site: StandinSite) -> None:
    """A channel that was read to its end not long ago is read until a page is known."""
    channel = site.channel("long")
    channel.tabs["videos"] = Generated(300, lambda n: Video(f"l-{n:03}", availability="subscriber_only"))
    first = sync(channel.url)
    assert first["listed"] == 300
    asked = len(site.listing_requests)
    assert asked >= 10
    channel.tabs["videos"] = [
        Video("l-new", availability="subscriber_only"),
        *(Video(f"l-{n:03}", availability="subscriber_only") for n in range(300)),
    ]
    short = sync(channel.url)
    assert (short["listed"], short["new"], short["incomplete"]) == (60, 1, None)
    assert len(site.listing_requests) - asked == 3  # the channel's page, the first one, one more
    asked = len(site.listing_requests)
    full = sync(channel.url, {"sources.full_listing_hours": 0})
    assert (full["listed"], full["new"]) == (301, 0)
    assert len(site.listing_requests) - asked >= 10


def test_transient_failures_back_off(sync: Syncs, site: StandinSite, library: Database, stack: LocalStack) -> None:
    channel = site.channel("shaky", Video("t-a"))
    fault = site.fail("media", 500)
    assert refused(sync(channel.url)) == Counter(["unreachable"])
    (row,) = rows(library, "t-a")
    assert (row.state, row.attempts) == ("retrying", 1)
    assert row.next_check_at is not None
    assert row.next_check_at.timestamp() > time.time()
    assert fault.hits == 3  # at once, and after each of the step's two delays
    assert sync(channel.url)["failed"] == 0  # not due: nothing is asked for it
    assert fault.hits == 3
    site.heal()
    make_due(stack, "UPDATE video SET next_check_at = now() WHERE video_id = 't-a'")
    assert sync(channel.url)["published"] == 1


def test_a_stream_from_its_announcement_to_its_transcript(
    sync: Syncs, site: StandinSite, library: Database, stack: LocalStack
) -> None:
    stream = Video("live", tab="streams", live_status="is_upcoming", release_timestamp=int(time.time()) + 7200)
    channel = site.channel("streams", Video("l-other", says="Private video"), stream)
    assert sync(channel.url)["waiting"] == 1
    for status, reason in (("is_live", "live"), ("post_live", "post_live")):
        stream.live_status = status
        make_due(stack, "UPDATE video SET next_check_at = now() WHERE video_id = 'live'")
        done = sync(channel.url)
        assert (done["failed"], done["waiting"]) == (0, 1), done
        assert states(library, "live") == [("waiting", reason)]
    assert site.media_requests("live") == []
    # It may stay "just ended" for ever: after a day it is fetched as it is.
    make_due(stack, "UPDATE video SET next_check_at = now(), post_live_since = now() - interval '25 hours'")
    assert sync(channel.url)["published"] == 1
    assert states(library, "live") == [("published", None)]


def test_a_stream_that_is_minutes_short_is_looked_at_again(
    sync: Syncs, site: StandinSite, library: Database, stack: LocalStack
) -> None:
    stream = Video("cut-stream", live_status="was_live", duration=400.0)
    channel = site.channel("cut", stream)
    assert refused(sync(channel.url)) == Counter(["truncated"])
    assert states(library, "cut-stream") == [("retrying", "truncated")]
    stream.duration = -1.0  # the site has the whole recording now
    make_due(stack, "UPDATE video SET next_check_at = now() WHERE video_id = 'cut-stream'")
    assert sync(channel.url)["published"] == 1
    assert len(site.media_requests("cut-stream")) == 2  # what was short was not taken from the cache


def test_the_budget_of_an_outgoing_address_spaces_videos(sync: Syncs, site: StandinSite) -> None:
    channel = site.channel("budget", *(Video(f"bud-{n}", says="Private video") for n in range(4)))
    done = sync(channel.url, {"sources.budgets": {"standin": 3600}})
    assert refused(done) == Counter(private=4)
    times = sorted(request.at for request in site.page_requests())
    assert all(later - earlier > 0.8 for earlier, later in itertools.pairwise(times))
    unlimited = site.channel("free", *(Video(f"free-{n}", says="Private video") for n in range(4)))
    assert sync(unlimited.url, {"sources.budgets": {"standin": 0}})["failed"] == 4


def test_two_syncs_at_once(sync: Syncs, site: StandinSite, data_dir: Path) -> None:
    """As `tests/tasks/test_at_once.py`, with all of Prefect and Dask. (It is no sound, to be quick.)"""
    with Syncs(data_dir) as other:
        for n in range(4):
            videos = [Video(f"two-{n}-{m}", media=b"no sound " * 2000) for m in range(3)]
            channel = site.channel(f"two{n}", *videos)
            for each in (sync, other):
                each.begin(channel.url)
            both = [each.end() for each in (sync, other)]
            assert all("reason" not in done for done in both), both
            assert sum((refused(done) for done in both), Counter()) == Counter(corrupt_media=3), both
            assert sum(done["new"] for done in both) == 3
            assert [len(site.media_requests(video.id)) for video in videos] == [1, 1, 1]
            assert [len(site.page_requests(video.id)) for video in videos] == [1, 1, 1]
