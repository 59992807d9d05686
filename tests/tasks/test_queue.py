"""The queue of a run: each video once, to the real end, whatever others hold or have locked at that moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from channelscribe import discovery
from channelscribe.catalogue import leases, listings, videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.discovery import Listed, only_sync_of
from channelscribe.errors import NoMedia
from channelscribe.settings import Settings
from tasks import queue
from tasks.queue import VideoQueue, chosen_videos, due_videos
from tasks.records import VideoWork
from tests.catalogue.records import OWNER, Video
from tests.catalogue.records import Listed as Listing

OTHER = "another run"


@pytest.fixture(autouse=True)
def _this_catalogue(catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "catalogue", lambda: catalogue)
    monkeypatch.setattr(queue, "AGAIN_SECONDS", 0.01)


def listed(catalogue: Database, count: int, *, blocked: bool = False) -> Listed:
    found = [Video(f"v{number}", position=number) for number in range(count)]
    report = catalogue.run(listings.record_listing, Listing(found))
    counts = {"listed": count, "new": count, "changed": 0, "gone": 0}
    return Listed(source_pk=report.source_pk, title="One", blocked=blocked, **counts)


def ids(found: list[VideoWork]) -> list[str]:
    return [video.video_id for video in found]


def all_of(videos: VideoQueue, count: int = 4) -> list[str]:
    return [video.video_id for some in videos.batches(count) for video in some]


@contextmanager
def rows_locked(catalogue: Database, *names: str) -> Iterator[None]:
    """Another session's transaction, which has these rows locked: a listing of an overlapping source does that."""
    with catalogue.session() as session:
        execute(session, "SELECT id FROM video WHERE video_id = ANY(:names) FOR UPDATE", names=list(names))
        yield


@pytest.mark.slow
def test_each_video_is_given_once_in_the_sources_order(catalogue: Database) -> None:
    due = due_videos(listed(catalogue, 5), OWNER, Settings(), None)
    assert ids(due.next(2)) == ["v0", "v1"]
    assert not due.is_over()
    assert ids(due.next(9)) == ["v2", "v3", "v4"]
    assert due.is_over()
    assert due.next(9) == []
    assert ids(due.taken) == [f"v{number}" for number in range(5)]


def test_no_more_than_the_limit(catalogue: Database) -> None:
    due = due_videos(listed(catalogue, 5), OWNER, Settings(), 3)
    assert ids(due.next(2)) == ["v0", "v1"]
    assert ids(due.next(2)) == ["v2"]
    assert due.is_over()


def test_locked_rows_are_not_the_end(catalogue: Database) -> None:
    due = due_videos(listed(catalogue, 3), OWNER, Settings(), None)
    with rows_locked(catalogue, "v0", "v1", "v2"):
        assert due.next(9) == []
        assert not due.is_over()
    assert ids(due.next(9)) == ["v0", "v1", "v2"]
    assert due.is_over()


def test_the_queue_waits_for_rows_that_are_locked_for_a_moment(catalogue: Database) -> None:
    due = due_videos(listed(catalogue, 3), OWNER, Settings(), None)
    locked, looked = threading.Event(), threading.Event()

    def hold() -> None:
        with rows_locked(catalogue, "v1"):
            locked.set()
            looked.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(10)
    given = due.batches(9)
    assert ids(next(given)) == ["v0", "v2"]
    assert not due.is_over()
    looked.set()
    assert ids(next(given)) == ["v1"]
    holder.join()


def test_rows_that_stay_locked_are_with_another_run(catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LOCKED_SECONDS", 0.05)
    due = due_videos(listed(catalogue, 3), OWNER, Settings(), None)
    with rows_locked(catalogue, "v1"):
        assert all_of(due) == ["v0", "v2"]
    assert due.held == 1


@pytest.mark.slow
def test_what_others_hold_is_counted(catalogue: Database) -> None:
    source = listed(catalogue, 4)
    assert ids(due_videos(source, OTHER, Settings(), None).next(3)) == ["v0", "v1", "v2"]
    due = due_videos(source, OWNER, Settings(), None)
    assert all_of(due) == ["v3"]
    assert due.held == 3


def test_what_came_back_undone_is_not_taken_again(catalogue: Database) -> None:
    source = listed(catalogue, 2)
    due = due_videos(source, OWNER, Settings(), None)
    (first,) = due.next(1)
    due.give_back(first)
    catalogue.run(leases.release, [first.pk], OWNER)
    assert all_of(due) == ["v1"]
    # Another run may have it.
    assert all_of(due_videos(source, OTHER, Settings(), None)) == ["v0"]


def test_a_lease_that_ran_out_gives_no_second_piece_of_work(catalogue: Database) -> None:
    due = due_videos(listed(catalogue, 2), OWNER, Settings(), None)
    assert ids(due.next(2)) == ["v0", "v1"]
    with catalogue.session() as session:
        execute(session, "UPDATE video SET lease_until = now() - interval '1 second'")
    assert due.next(2) == []


def test_a_blocked_source_has_nothing(catalogue: Database) -> None:
    due = due_videos(listed(catalogue, 2, blocked=True), OWNER, Settings(), None)
    assert due.is_over()
    assert due.next(2) == []


def test_chosen_videos_are_given_in_their_order_but_not_those_of_others(catalogue: Database) -> None:
    source = listed(catalogue, 4)
    (held,) = due_videos(source, OTHER, Settings(), None).next(1)
    rows = {row.video_id: row.id for row in catalogue.run(videos.list_videos, source.source_pk)}
    work = [
        VideoWork(pk=rows[name], site="s", video_id=name, url="u", title="t", channel="c", owner=OWNER)
        for name in ("v3", "v0", "v2", "v1")
    ]
    chosen = chosen_videos(work, OWNER, 60)
    assert held.video_id == "v0"
    assert ids(chosen.next(2)) == ["v3", "v2"]
    with rows_locked(catalogue, "v1"):
        assert chosen.next(2) == []
        assert not chosen.is_over()
    assert ids(chosen.next(2)) == ["v1"]
    assert chosen.is_over()
    assert chosen.held == 1


def test_fresh_is_what_was_published_lately(catalogue: Database) -> None:
    report = catalogue.run(listings.record_listing, Listing([Video("old", position=0), Video("new", position=1)]))
    with catalogue.session() as session:
        execute(session, "UPDATE video SET published = current_date - 400 WHERE video_id = 'old'")
        execute(session, "UPDATE video SET published = current_date WHERE video_id = 'new'")
    counts = {"listed": 2, "new": 2, "changed": 0, "gone": 0}
    due = due_videos(Listed(source_pk=report.source_pk, title="", **counts), OWNER, Settings(), None)
    assert {video.video_id: video.fresh for video in due.next(2)} == {"old": False, "new": True}


def test_the_share_of_a_sync(catalogue: Database) -> None:
    due = due_videos(listed(catalogue, 6), OWNER, Settings(), 4)
    assert due.share() == 0  # of four: there is a limit
    first, second = due.next(2)
    assert due.share() == 0
    catalogue.run(videos.record_failure, first.pk, OWNER, NoMedia("nothing"))
    assert due.share() == pytest.approx(1 / 4)
    catalogue.run(leases.renew, second.pk, OWNER, 60, "recognize", 0.5)
    assert due.share() == pytest.approx((1 + 2.5 / 8) / 4)
    due.stop()
    assert due.share() == pytest.approx((1 + 2.5 / 8) / 2)
    catalogue.run(leases.release_all, OWNER)
    assert due.share() == 1


def test_one_sync_of_a_source_at_a_time(catalogue: Database) -> None:
    with only_sync_of(catalogue, "http://one", "run brave-otter", wait=False) as nobody:
        assert nobody is None
        with only_sync_of(catalogue, "http://one", "second", wait=False) as other:
            assert other == "run brave-otter"
        with only_sync_of(catalogue, "http://two", "third", wait=False) as nobody:
            assert nobody is None
    with only_sync_of(catalogue, "http://one", "fourth", wait=False) as nobody:
        assert nobody is None


def test_a_killed_run_holds_no_source(catalogue: Database) -> None:
    with only_sync_of(catalogue, "http://one", "killed", wait=False):
        with catalogue.session() as session:
            execute(
                session, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'killed'"
            ).all()
        with only_sync_of(catalogue, "http://one", "next", wait=False) as nobody:
            assert nobody is None


@pytest.mark.slow
def test_a_second_sync_waits_where_it_is_told_to(catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "WAIT_SECONDS", 0.01)
    begun, ended, order = threading.Event(), threading.Event(), []

    def second() -> None:
        begun.set()
        with only_sync_of(catalogue, "http://one", "second", wait=True) as other:
            order.append(("second", other))
        ended.set()

    with only_sync_of(catalogue, "http://one", "first", wait=False):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert begun.wait(10)
        assert not ended.wait(0.1)
        order.append(("first", None))
    assert ended.wait(10)
    waiting.join()
    assert order == [("first", None), ("second", None)]
