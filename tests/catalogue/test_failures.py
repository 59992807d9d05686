"""What each branch of the error tree makes of a video."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from channelscribe import errors
from channelscribe.catalogue import Catalogue, State
from channelscribe.catalogue.failures import LONGEST_DELAY, retry_delay
from channelscribe.errors import Then
from tests.catalogue.records import OWNER, spoken, with_videos

CASES = [
    (errors.VideoUnavailable("It is private.", reason="private"), State.UNAVAILABLE, "private", False),
    (errors.NotYet("It begins on Monday."), State.WAITING, "upcoming", True),
    (errors.SourceUnreachable("no route"), State.RETRYING, "unreachable", True),
    (errors.TruncatedMedia("half of it"), State.RETRYING, "truncated", True),
    (errors.SourceBlocked("429"), State.RETRYING, "blocked", True),
    (errors.SignInRequired("age gate", remedy="Give cookies."), State.RETRYING, "sign_in_required", False),
    (ValueError("line one\nline \x00two"), State.RETRYING, "internal", True),
]


@pytest.mark.parametrize(("error", "state", "reason", "timed"), CASES, ids=lambda case: str(case)[:20])
def test_failures(catalogue: Catalogue, error: Exception, state: State, reason: str, timed: bool) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.claim([video.id], OWNER, 60)
    failure = catalogue.record_failure(video.id, OWNER, error)
    assert failure is not None
    assert (failure.state, failure.reason, failure.retry_at is not None) == (state, reason, timed)
    row = catalogue.find_videos("v0")[0]
    assert (row.state, row.reason, row.lease_owner, row.attempts) == (state, reason, None, 1)
    assert row.message
    assert "\n" not in row.message
    if timed:
        assert row.next_check_at is not None
        assert row.next_check_at > datetime.now(UTC)


def test_what_the_operator_set_right_is_due_at_the_next_run(catalogue: Catalogue) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.claim([video.id], OWNER, 60)
    catalogue.record_failure(video.id, OWNER, errors.StoreNotWritable("disk full", remedy="Make room."))
    assert len(catalogue.claim([video.id], OWNER, 60)) == 1
    catalogue.record_state(video.id, OWNER, "downloaded")
    row = catalogue.find_videos("v0")[0]
    assert (row.state, row.reason, row.remedy, row.attempts) == ("downloaded", None, None, 0)
    assert row.lease_owner == OWNER


def test_a_published_video_stays_published(catalogue: Catalogue) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.claim([video.id], OWNER, 60)
    catalogue.publish(video.id, OWNER, "t", spoken("hello"), {}, {})
    catalogue.claim([video.id], OWNER, 60, only_due=False)
    catalogue.record_failure(video.id, OWNER, errors.VideoUnavailable("gone"))
    assert catalogue.find_videos("v0")[0].state == State.PUBLISHED
    assert catalogue.search("hello")


def test_exclusion_gives_the_lease_back(catalogue: Catalogue) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.claim([video.id], OWNER, 60)
    catalogue.record_state(video.id, OWNER, State.EXCLUDED, reason="too_long", message="13 hours")
    row = catalogue.find_videos("v0")[0]
    assert (row.state, row.reason, row.lease_owner) == ("excluded", "too_long", None)
    status = catalogue.status()
    assert (status.due, status.states["excluded"], status.reasons[0].reason) == (0, 1, "too_long")


def test_delays_double_up_to_a_day() -> None:
    first, fifth = (retry_delay(Then.RETRY_LATER, attempts) for attempts in (1, 5))
    assert first is not None
    assert fifth is not None
    assert timedelta(minutes=12) <= first <= timedelta(minutes=18)
    assert timedelta(minutes=12) * 16 <= fifth <= timedelta(minutes=18) * 16
    endless = retry_delay(Then.RETRY_LATER, 10**6)
    assert endless is not None
    assert endless <= LONGEST_DELAY * 1.2
    assert retry_delay(Then.GIVE_UP, 1) is retry_delay(Then.ASK_OPERATOR, 1) is None
