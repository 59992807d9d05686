"""Leases: disjoint, renewable, lost, expired."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from channelscribe.catalogue import Catalogue, State
from channelscribe.errors import LeaseLost
from flows.commands.sync import tell_held
from tests.catalogue.records import OWNER, spoken, with_videos


def test_two_claims_at_once_are_disjoint(catalogue: Catalogue) -> None:
    pks = [row.id for row in with_videos(catalogue, 40)]
    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            claimed = list(pool.map(lambda owner: catalogue.claim(pks, owner, 60), "abcd"))
        taken = [row.id for rows in claimed for row in rows]
        assert sorted(taken) == sorted(set(taken))
        assert set(taken) <= set(pks)
        left = catalogue.claim(pks, "e", 60)
        assert sorted([*taken, *(row.id for row in left)]) == sorted(pks)
        for owner in "abcde":
            catalogue.release(pks, owner)


def test_a_claim_keeps_the_order_and_is_repeatable(catalogue: Catalogue) -> None:
    pks = [row.id for row in with_videos(catalogue, 3)][::-1]
    assert [row.id for row in catalogue.claim(pks, OWNER, 60)] == pks
    assert [row.id for row in catalogue.claim(pks, OWNER, 60)] == pks
    assert catalogue.claim(pks, "other", 60) == []


def test_progress_is_seen_and_release_clears_it(catalogue: Catalogue) -> None:
    pk = with_videos(catalogue, 1)[0].id
    catalogue.claim([pk], OWNER, 60)
    catalogue.renew(pk, OWNER, 60, "download", 0.5)
    catalogue.renew(pk, OWNER, 60, fraction=7.0)
    (row,) = catalogue.progress(OWNER)
    assert (row.video_pk, row.step, row.step_fraction) == (pk, "download", 1.0)
    assert catalogue.progress("other") == []
    assert catalogue.release([pk], "other") == 0
    assert catalogue.release([pk], OWNER) == 1
    assert catalogue.progress() == []


def test_an_expired_lease_can_be_taken_and_is_then_lost(catalogue: Catalogue) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.claim([video.id], OWNER, -1)
    catalogue.renew(video.id, OWNER, -1)  # nobody took it yet
    assert len(catalogue.claim([video.id], "other", 60)) == 1
    with pytest.raises(LeaseLost):
        catalogue.renew(video.id, OWNER, 60)
    with pytest.raises(LeaseLost):
        catalogue.record_state(video.id, OWNER, State.DOWNLOADED)
    with pytest.raises(LeaseLost):
        catalogue.publish(video.id, OWNER, "t", spoken("hello"), {}, {})
    assert catalogue.record_failure(video.id, OWNER, ValueError("late")) is None
    assert catalogue.find_videos("v0")[0].state == State.DISCOVERED


def test_what_is_not_due_is_claimed_only_on_purpose(catalogue: Catalogue) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.claim([video.id], OWNER, 60)
    catalogue.publish(video.id, OWNER, "t", spoken("hello"), {}, {})
    assert catalogue.claim([video.id], OWNER, 60) == []
    assert len(catalogue.claim([video.id], OWNER, 60, only_due=False)) == 1


def test_a_sync_tells_of_videos_that_others_hold(catalogue: Catalogue, capsys: pytest.CaptureFixture[str]) -> None:
    pk = with_videos(catalogue, 1)[0].id
    tell_held(catalogue)
    assert capsys.readouterr().err == ""
    catalogue.claim([pk], OWNER, 60)
    until = catalogue.progress()[0].lease_until.astimezone()
    tell_held(catalogue)
    assert "1 videos are with other runs" in (told := capsys.readouterr().err) and f"{until:%H:%M:%S}" in told
