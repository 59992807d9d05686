"""Which video is an episode? By its guid within its feed, whatever hosts, tokens and counters its file has."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest

from channelscribe.catalogue import leases, listings, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.schema import migrate
from channelscribe.catalogue.tables import VideoRow
from channelscribe.sources.identifiers import FEED, episode_id, feed_key, file_of, former_id, guid_of
from channelscribe.sources.spool import ListedVideo, Listing
from tests.catalogue.records import Listed, Video, published, spoken
from tests.databases import NewDatabase

A, B = "https://a.example/feed", "https://b.example/feed"


def episode(
    guid: str | None, url: str, title: str = "", feed: str = A, shared: bool = False, **more: Any
) -> ListedVideo:
    """As the reader of feeds makes it."""
    return ListedVideo(
        video_id=episode_id(feed_key(feed), guid_of(guid, file_of(url), shared)),
        site=FEED, url=url, title=title or guid or "untitled", guid=guid, file=file_of(url),
        former=former_id(url, guid), **more,
    )  # fmt: skip


def show(at: str, /, *episodes: ListedVideo, title: str = "A show", complete: bool = True, **memory: Any) -> Listing:
    key = memory.get("guid") or feed_key(at)
    return Listing(
        FEED, key, title, at, "feed", list(episodes), complete=complete, feed=key, memory={"reader": 1, **memory}
    )


def record(catalogue: Database, listing: Listing) -> listings.ListingReport:
    return catalogue.run(listings.record_listing, listing)


def rows(catalogue: Database, source_pk: int) -> list[VideoRow]:
    return catalogue.run(videos.list_videos, source_pk)


def counts(report: listings.ListingReport) -> tuple[int, int, int, int]:
    return (report.listed, report.new, report.changed, report.gone)


def test_two_shows_with_the_same_guids(catalogue: Database) -> None:
    one = record(catalogue, show(A, episode("s01e01", f"{A}/1.mp3", "One of A"), episode("trailer", f"{A}/t.mp3")))
    two = record(
        catalogue,
        show(B, episode("s01e01", f"{B}/1.mp3", "One of B", B), episode("trailer", f"{B}/t.mp3", "", B), title="B"),
    )
    assert counts(one) == counts(two) == (2, 2, 0, 0)
    assert [row.title for row in rows(catalogue, one.source_pk)] == ["One of A", "trailer"]
    assert [row.title for row in catalogue.run(videos.find_videos, "s01e01")] == ["One of A", "One of B"]
    assert len(catalogue.run(videos.find_videos, "feed:s01e01")) == 2
    assert len(rows(catalogue, two.source_pk)) == 2


def test_hosts_tokens_and_counters_make_no_new_episode(catalogue: Database) -> None:
    first = record(
        catalogue,
        show(A, episode("1", "https://h.example/m/1.mp3?token=a"), episode(None, "https://h.example/m/2.mp3?token=a")),
    )
    ids = [row.video_id for row in rows(catalogue, first.source_pk)]
    moved = show(
        A,
        episode("1", "https://count.example/e/i.example/m/1.mp3?token=b"),
        episode(None, "https://i.example/m/2.mp3?token=b"),
    )
    again = record(catalogue, moved)
    assert counts(again) == (2, 0, 0, 0)
    assert [row.video_id for row in rows(catalogue, again.source_pk)] == ids
    assert catalogue.run(videos.find_videos, "https://i.example/m/2.mp3?token=c")[0].guid is None


@pytest.mark.parametrize(
    "told",
    [{"guid": "917393e3-1b1e-5cef-ace4-edaa54e1f810"}, {"link": "https://show.example/"}, {}],
    ids=["podcast:guid", "name and home", "redirect"],
)
def test_a_feed_that_moves_to_another_host_is_the_same(catalogue: Database, told: dict[str, str]) -> None:
    moved = {} if told else {"url": B}
    first = record(catalogue, show(A, *(episode(str(n), f"{A}/{n}.mp3", feed=A) for n in range(4)), **told, **moved))
    there = show(B, *(episode(str(n), f"{B}/{n}.mp3", feed=B) for n in range(1, 6)), **told)
    second = record(catalogue, there)
    assert second.source_pk != first.source_pk and (second.listed, second.new) == (5, 2)
    new = [row.video_id for row in rows(catalogue, second.source_pk) if row.guid in ("4", "5")]
    assert record(catalogue, there).new == 0 and len(set(new)) == 2


def test_a_guid_that_two_shows_have_by_mistake_makes_them_no_one_show(catalogue: Database) -> None:
    guid = "917393e3-1b1e-5cef-ace4-edaa54e1f810"
    record(catalogue, show(A, *(episode(f"a{n}", f"{A}/{n}.mp3") for n in range(4)), guid=guid))
    other = show(B, *(episode(f"b{n}", f"{B}/{n}.mp3", feed=B) for n in range(4)), title="Another", link="x")
    other.memory["guid"] = guid
    record(catalogue, other)
    with catalogue.connection() as connection:
        assert connection.exec_driver_sql("SELECT count(DISTINCT feed) FROM source").scalar_one() == 2


def test_several_files_under_one_guid_are_several_episodes(catalogue: Database) -> None:
    three = [episode("g", f"{A}/{n}.mp3", f"title {n}", shared=True) for n in "abc"]
    first = record(catalogue, show(A, *three))
    assert counts(first) == (3, 3, 0, 0) and counts(record(catalogue, show(A, *three[::-1]))) == (3, 0, 0, 0)


def test_a_guid_that_comes_to_be_shared_keeps_what_is_there(catalogue: Database) -> None:
    """And one that is shared no more, too: the file tells which one it is."""
    first = record(catalogue, show(A, episode("g", f"{A}/a.mp3", "a")))
    both = [episode("g", f"{A}/b.mp3", "b", shared=True), episode("g", f"{A}/a.mp3", "a", shared=True)]
    assert counts(record(catalogue, show(A, *both))) == (2, 1, 0, 0)
    assert counts(record(catalogue, show(A, episode("g", f"{A}/b.mp3", "b")))) == (1, 0, 0, 0)
    assert {row.title for row in rows(catalogue, first.source_pk)} == {"a", "b"}


def test_a_guid_that_comes_later_or_goes(catalogue: Database) -> None:
    record(catalogue, show(A, episode(None, f"{A}/a.mp3", "a")))
    assert record(catalogue, show(A, episode("g", f"{A}/a.mp3", "a"))).new == 0
    assert record(catalogue, show(A, episode(None, f"{A}/a.mp3", "a"))).new == 0
    assert [row.title for row in catalogue.run(videos.find_videos, "g")] == ["a"]


def test_the_same_file_by_its_address_alone_and_in_a_feed_is_one_video(catalogue: Database) -> None:
    url = "https://cdn.example/m/1.mp3"
    alone = ListedVideo(former_id(url, None), "generic", url, "1")
    page = Listing("generic", alone.video_id, "1", url, "video", [alone])
    one = record(catalogue, page)
    assert record(catalogue, show(A, episode("g", "https://count.example/r/cdn.example/m/1.mp3?token=x"))).new == 0
    assert record(catalogue, page).new == 0
    (row,) = rows(catalogue, one.source_pk)
    assert (row.site, row.guid, row.feed) == ("generic", "g", feed_key(A))
    other = "https://cdn.example/m/2.mp3"
    record(catalogue, show(A, episode("g", url), episode("h", other)))
    late = ListedVideo(former_id(other, None), "generic", f"{other}?token=z", "2")
    assert record(catalogue, Listing("generic", late.video_id, "2", late.url, "video", [late])).new == 0
    elsewhere = ListedVideo("x", "generic", "https://other.example/m/2.mp3", "2")
    assert record(catalogue, Listing("generic", "x", "2", elsewhere.url, "video", [elsewhere])).new == 1


def test_what_was_replaced_under_its_guid_is_said(catalogue: Database) -> None:
    """Another host alone says nothing: it may be the same recording."""
    first = episode("g", "https://h.example/m/1.mp3", duration=60.0, announced_bytes=1000)
    row = published(catalogue, spoken("Words"), first, show(A, first))
    for same in (
        episode("g", "https://i.example/n/1.mp3", duration=61.0, announced_bytes=1200),
        episode("g", "https://i.example/n/1.mp3?token=x", duration=61.0, announced_bytes=1200),
    ):
        report = record(catalogue, show(A, same))
        assert (report.replaced, report.new) == ((), 0)
    longer = episode("g", "https://i.example/n/1.mp3", duration=75.0, announced_bytes=1500)
    report = record(catalogue, show(A, longer))
    assert (report.replaced, report.changed, report.new) == ((row.video_id,), 1, 0)
    assert record(catalogue, show(A, longer)).replaced == ()
    other = record(catalogue, show(A, episode("g", "https://i.example/n/1-fixed.mp3", duration=75.0)))
    assert other.replaced == (row.video_id,)
    (now,) = catalogue.run(videos.find_videos, "g")
    assert now.state == "published" and now.replaced_at is not None
    assert catalogue.run(leases.refetch, [now.id]) == 1
    (due,) = catalogue.run(leases.due, other.source_pk)
    assert (due.id, due.rejected, due.replaced_at) == (now.id, 1, None)
    assert due.current_transcript_pk == now.current_transcript_pk  # it stays until there is another


def test_what_was_not_fetched_yet_is_not_replaced(catalogue: Database) -> None:
    record(catalogue, show(A, episode("g", f"{A}/1.mp3", announced_bytes=1)))
    assert record(catalogue, show(A, episode("g", f"{A}/2.mp3", announced_bytes=2))).replaced == ()


def dated(guid: str, day: int, **more: Any) -> ListedVideo:
    return episode(guid, f"{A}/{guid}.mp3", published=date(2026, 3, day), position=30 - day, **more)


def test_what_slides_off_the_end_of_a_feed_is_not_gone(catalogue: Database) -> None:
    pk = record(catalogue, show(A, *(dated(f"e{day}", day) for day in (5, 4, 3, 2, 1)))).source_pk
    report = record(catalogue, show(A, *(dated(f"e{day}", day) for day in (7, 6, 5, 3))))
    assert (report.new, report.gone) == (2, 1)  # e4 was taken out, e2 and e1 have slid off
    assert [row.guid for row in catalogue.run(leases.due, pk)] == ["e7", "e6", "e5", "e3", "e2", "e1"]
    assert [row.guid for row in rows(catalogue, pk)][-1] == "e4"


def test_without_dates_the_place_tells_what_has_slid_off(catalogue: Database) -> None:
    def places(*guids: str) -> Listing:
        return show(A, *(episode(guid, f"{A}/{guid}.mp3", position=place) for place, guid in enumerate(guids)))

    pk = record(catalogue, places("d", "c", "b", "a")).source_pk
    assert record(catalogue, places("f", "e", "d", "b")).gone == 1
    assert [row.guid for row in catalogue.run(leases.due, pk)] == ["f", "e", "d", "b", "a"]


def test_an_unchanged_feed_leaves_all_as_it_is(catalogue: Database) -> None:
    first = record(catalogue, show(A, dated("a", 2), dated("b", 1)))
    memory = catalogue.run(listings.memory_of, A)
    assert memory == {"reader": 1, "feed": feed_key(A), "kind": "feed"}
    unchanged = show(A, etag="x")
    unchanged.unchanged = True
    report = record(catalogue, unchanged)
    assert (report.source_pk, *counts(report)) == (first.source_pk, 2, 0, 0, 0)
    assert catalogue.run(listings.memory_of, A)["etag"] == "x"
    assert len(catalogue.run(leases.due, first.source_pk)) == 2


def test_what_else_a_feed_says_is_kept(catalogue: Database) -> None:
    about, chapters = {"season": "2", "people": ["Zdeňka"]}, [[0.0, "Hello"], [90.0, "Vienna"]]
    pk = record(catalogue, show(A, episode("g", f"{A}/1.mp3", about=about, chapters=chapters))).source_pk
    record(catalogue, show(A, episode("g", f"{A}/1.mp3")))
    (row,) = rows(catalogue, pk)
    assert (row.about, row.chapters) == (about, chapters)


OLD = """
INSERT INTO source (site, source_id, url, title, kind) VALUES
    ('generic', 'a', 'https://a.example/feed', 'A show', 'feed'),
    ('generic', 'b', 'https://b.example/feed', 'B', 'feed'),
    ('youtube', 'UC1', 'https://www.youtube.com/@one', 'One', 'channel');
INSERT INTO video (site, video_id, url, title, state) VALUES
    ('generic', 'episode-1', 'https://b.example/feed/1.mp3', 'One of B', 'published'),
    ('generic', '{counted}', 'https://h.example/m/2.mp3', 'Two of A', 'published'),
    ('generic', '{hashed}', 'https://h.example/m/3.mp3', 'Three of A', 'discovered'),
    ('generic', '{nameless}', 'https://h.example/m/4.mp3?token=a', 'Four of A', 'published'),
    ('youtube', 'v1', 'https://www.youtube.com/watch?v=v1', 'A video', 'published');
INSERT INTO source_video (source_pk, video_pk, position, first_listed_at) VALUES
    (1, 1, 0, '2026-01-01'), (1, 2, 1, '2026-01-01'), (1, 3, 2, '2026-01-01'), (1, 4, 3, '2026-01-01'),
    (2, 1, 0, '2026-02-01'), (3, 5, 0, '2026-01-01');
INSERT INTO audio (video_pk, source_sha256, options_key, seconds, bytes, archive_key, speech_key, speech_sha256)
    VALUES (1, 'a', 'b', 12, 34, 'audio_files/generic/episode-1.mp3', 'k.flac', 'c');
"""


def test_a_library_of_today_is_brought_over(empty_database: NewDatabase) -> None:
    """As release cdeef18 left it, with a guid that two shows have: nothing is fetched or transcribed again."""
    url = empty_database()
    catalogue = Database(url)
    migrate(catalogue, "0004")
    old = OLD.format(
        counted=former_id("https://h.example/m/2.mp3", "12"),
        hashed=former_id("https://h.example/m/3.mp3", "https://a.example/?p=3"),
        nameless=former_id("https://h.example/m/4.mp3?token=a", None),
    )
    with psycopg.connect(url) as connection:
        connection.execute(old)
    migrate(catalogue)
    before = {row.id: (row.site, row.video_id) for row in rows(catalogue, 1)}
    a = show(
        A,
        episode("episode-1", "https://h.example/m/1.mp3", "One of A"),
        episode("12", "https://h.example/m/2.mp3"),
        episode("https://a.example/?p=3", "https://h.example/m/3.mp3"),
        episode(None, "https://h.example/m/4.mp3?token=b"),
    )
    report = record(catalogue, a)
    assert (report.new, report.gone) == (0, 0)
    assert {row.id: (row.site, row.video_id) for row in rows(catalogue, 1)} == before
    assert {row.guid for row in rows(catalogue, 1)} == {"episode-1", "12", "https://a.example/?p=3", None}
    assert [row.title for row in catalogue.run(videos.find_videos, "generic:episode-1")] == ["One of A"]
    assert [row.state for row in catalogue.run(leases.due, 1)] == ["discovered"]
    # What the second show never got, because the first one had its name.
    assert record(catalogue, show(B, episode("episode-1", f"{B}/1.mp3", "One of B", B), title="B")).new == 1
    assert record(catalogue, a).new == 0
    assert [row.title for row in rows(catalogue, 2)] == ["One of B"]
    # A host that moves after the update finds them by their guids and files.
    moved = [episode("12", "https://new.example/m/2.mp3"), episode(None, "https://new.example/m/4.mp3?token=c")]
    assert record(catalogue, show(A, *moved)).new == 0
    catalogue.engine.dispose()


def test_a_counted_guid_whose_host_changed_before_the_update(empty_database: NewDatabase) -> None:
    """Its old name has the host in it, which is not there any more: the file tells."""
    url = empty_database()
    catalogue = Database(url)
    migrate(catalogue, "0004")
    with psycopg.connect(url) as connection:
        connection.execute(OLD.format(counted=former_id("https://h.example/", "12"), hashed="x", nameless="y"))
    migrate(catalogue)
    assert record(catalogue, show(A, episode("12", "https://new.example/m/2.mp3"))).new == 0
    catalogue.engine.dispose()


def test_a_site_that_lists_under_another_name_than_its_pages(catalogue: Database) -> None:
    """Twitch's lists were taken in as twitchvod."""
    record(catalogue, Listed([Video("v1", site="twitchvod")], url="https://www.twitch.tv/one"))
    again = Listed([Video("v1", site="twitch", former="twitchvod")], url="https://www.twitch.tv/one")
    assert record(catalogue, again).new == 0
