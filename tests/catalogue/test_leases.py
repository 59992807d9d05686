"""Leases: disjoint, renewable, lost, expired."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from channelscribe.catalogue import leases, listings, publishing, stats, videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.tables import State
from channelscribe.errors import LeaseLost
from tests.catalogue.records import OWNER, Listed, Video, spoken, with_videos


def test_two_claims_at_once_are_disjoint(catalogue: Database) -> None:
    pks = [row.id for row in with_videos(catalogue, 40)]
    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            claimed = list(pool.map(lambda owner: catalogue.run(leases.claim, pks, owner, 60), "abcd"))
        taken = [row.id for rows in claimed for row in rows]
        assert sorted(taken) == sorted(set(taken))
        assert set(taken) <= set(pks)
        left = catalogue.run(leases.claim, pks, "e", 60)
        assert sorted([*taken, *(row.id for row in left)]) == sorted(pks)
        for owner in "abcde":
            catalogue.run(leases.release, pks, owner)


@pytest.mark.parametrize("plan", ["hashjoin, mergejoin, material", "nestloop, mergejoin", "nestloop, hashjoin", ""])
def test_no_plan_claims_more_than_the_limit(catalogue: Database, plan: str) -> None:
    """A sub-select with a limit that is run again for each row gives others each time, since the first are locked."""
    pks = [row.id for row in with_videos(catalogue, 20)]
    (source,) = catalogue.run(videos.sources)
    for take in (
        lambda session: leases.claim(session, pks, OWNER, 60, count=3),
        lambda session: leases.claim_next(session, source.id, "other", 60, 3),
    ):
        with catalogue.session() as session:
            for kind in filter(None, plan.split(", ")):
                execute(session, f"SET LOCAL enable_{kind} = off")
            assert len(take(session)) == 3


def test_a_claim_keeps_the_order_and_is_repeatable(catalogue: Database) -> None:
    pks = [row.id for row in with_videos(catalogue, 3)][::-1]
    assert [row.id for row in catalogue.run(leases.claim, pks, OWNER, 60)] == pks
    assert [row.id for row in catalogue.run(leases.claim, pks, OWNER, 60)] == pks
    assert catalogue.run(leases.claim, pks, "other", 60) == []


def test_progress_is_seen_and_release_clears_it(catalogue: Database) -> None:
    pk = with_videos(catalogue, 1)[0].id
    catalogue.run(leases.claim, [pk], OWNER, 60)
    catalogue.run(leases.renew, pk, OWNER, 60, "download", 0.5)
    catalogue.run(leases.renew, pk, OWNER, 60, fraction=7.0)
    (row,) = catalogue.run(stats.progress, OWNER)
    assert (row.video_pk, row.step, row.step_fraction) == (pk, "download", 1.0)
    assert catalogue.run(stats.progress, "other") == []
    assert catalogue.run(leases.release, [pk], "other") == 0
    assert catalogue.run(leases.release, [pk], OWNER) == 1
    assert catalogue.run(stats.progress) == []


def test_an_expired_lease_can_be_taken_and_is_then_lost(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.run(leases.claim, [video.id], OWNER, -1)
    catalogue.run(leases.renew, video.id, OWNER, -1)  # nobody took it yet
    assert len(catalogue.run(leases.claim, [video.id], "other", 60)) == 1
    with pytest.raises(LeaseLost):
        catalogue.run(leases.renew, video.id, OWNER, 60)
    with pytest.raises(LeaseLost):
        catalogue.run(videos.record_state, video.id, OWNER, State.DOWNLOADED)
    with pytest.raises(LeaseLost):
        catalogue.run(publishing.publish, video.id, OWNER, "t", spoken("hello"), {}, {})
    assert catalogue.run(videos.record_failure, video.id, OWNER, ValueError("late")) is None
    assert catalogue.run(videos.find_videos, "v0")[0].state == State.DISCOVERED


def test_what_is_not_due_is_claimed_only_on_purpose(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.run(leases.claim, [video.id], OWNER, 60)
    catalogue.run(publishing.publish, video.id, OWNER, "t", spoken("hello"), {}, {})
    assert catalogue.run(leases.claim, [video.id], OWNER, 60) == []
    assert len(catalogue.run(leases.claim, [video.id], OWNER, 60, only_due=False)) == 1


def test_what_is_left_is_told_from_what_others_hold(catalogue: Database) -> None:
    pks = [row.id for row in with_videos(catalogue, 3)]
    with catalogue.session() as session:
        source = videos.sources(session)[0].id
        assert leases.left_in_source(session, source, OWNER)[:3] == (3, 0, None)
    catalogue.run(leases.claim, pks[:1], "other", 60)
    catalogue.run(leases.claim, pks[1:2], OWNER, 60)
    until = catalogue.run(stats.progress, "other")[0].lease_until
    assert catalogue.run(leases.left_in_source, source, OWNER)[:3] == (1, 1, until)
    assert catalogue.run(leases.left_in_source, source, OWNER, pks[2:])[:3] == (0, 1, until)
    assert catalogue.run(leases.left_of, pks, OWNER)[:3] == (1, 1, until)


def test_rows_that_another_session_has_locked_are_not_the_end(catalogue: Database) -> None:
    pks = [row.id for row in with_videos(catalogue, 10)]
    source = catalogue.run(videos.sources)[0].id
    with catalogue.session() as another:
        execute(another, "SELECT id FROM video WHERE id = ANY(:pks) ORDER BY site, video_id FOR UPDATE", pks=pks[:7])
        assert [row.id for row in catalogue.run(leases.claim_next, source, OWNER, 60, 5)] == pks[7:]
        assert catalogue.run(leases.claim_next, source, OWNER, 60, 5) == []
        assert catalogue.run(leases.left_in_source, source, OWNER)[:3] == (7, 0, None)
        assert catalogue.run(leases.left_of, pks, OWNER)[:3] == (7, 0, None)
    assert [row.id for row in catalogue.run(leases.claim_next, source, OWNER, 60, 10)] == pks[:7]
    assert catalogue.run(leases.left_in_source, source, OWNER)[:3] == (0, 0, None)


def test_the_longest_free_one_is_told(catalogue: Database) -> None:
    pks = [row.id for row in with_videos(catalogue, 3)]
    source = catalogue.run(videos.sources)[0].id
    with catalogue.session() as session:
        for pk, seconds in zip(pks, (30.0, 900.0, 60.0), strict=True):
            execute(session, "UPDATE video SET duration = :seconds WHERE id = :pk", seconds=seconds, pk=pk)
    assert catalogue.run(leases.left_in_source, source, OWNER).longest == 900
    catalogue.run(leases.claim, pks[1:2], "other", 60)
    assert catalogue.run(leases.left_of, pks, OWNER).longest == 60


def test_a_listing_of_an_overlapping_source_hides_nothing(catalogue: Database) -> None:
    """What another session lists, and has not committed yet, is due all the same."""
    pks = [row.id for row in with_videos(catalogue, 3)]
    source = catalogue.run(videos.sources)[0].id
    changed = Listed([Video(f"v{n}", "another title", position=n) for n in range(3)], url="https://x/playlist")
    with catalogue.session() as another:
        listings.record_listing(another, changed)
        assert catalogue.run(leases.claim_next, source, OWNER, 60, 3) == []
        assert catalogue.run(leases.left_in_source, source, OWNER)[:3] == (3, 0, None)
    assert [row.id for row in catalogue.run(leases.claim_next, source, OWNER, 60, 3)] == pks
