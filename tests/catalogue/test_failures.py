"""What each branch of the error tree makes of a video."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta

import pytest

from channelscribe import errors
from channelscribe.catalogue import leases, publishing, search, stats, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.tables import State
from channelscribe.catalogue.videos import LONGEST_DELAY, LONGEST_WAIT, retry_delay
from tests.catalogue.records import OWNER, spoken, with_videos

CASES = [
    (errors.VideoUnavailable("It is private.", reason="private"), State.UNAVAILABLE, "private", False),
    (errors.NotYet("It begins on Monday."), State.WAITING, "upcoming", True),
    (errors.SourceUnreachable("no route"), State.RETRYING, "unreachable", True),
    (errors.TruncatedMedia("half of it"), State.RETRYING, "truncated", True),
    (errors.SourceBlocked("429"), State.RETRYING, "blocked", True),
    (errors.SignInRequired("age gate", remedy="Give cookies."), State.RETRYING, "sign_in_required", True),
    (errors.SuspectedBlock("This content isn't available."), State.RETRYING, "not_available", True),
    (errors.FilteredOut("no", reason="filter_date"), State.EXCLUDED, "filter_date", False),
    (ValueError("line one\nline \x00two"), State.RETRYING, "internal", True),
]


OF_THE_MACHINE = [
    errors.StoreNotWritable("disk full", remedy="Make room."),
    errors.StoreUnreachable("503"),
    errors.ProgramFailed("ffmpeg was killed (SIGKILL)."),
    errors.OutOfMemory("no memory"),
    errors.MachineBusy("too busy"),
    errors.ModelUnavailable("no model"),
    errors.AccessUnusable("The cookies have all expired.", reason="cookies"),
    errors.InvalidSetting("Setting speech.device is wrong."),
    errors.EngineDied("The scheduler went away."),
    OSError(errno.ENOSPC, "No space left on device", "/data/x"),
    MemoryError(),
]


NOT_THE_ROWS = {"lease_owner", "lease_until", "step", "setbacks"}


@pytest.mark.parametrize("error", OF_THE_MACHINE, ids=lambda error: type(error).__name__)
def test_what_is_the_machines_leaves_the_row_as_it_was(catalogue: Database, error: Exception) -> None:
    assert errors.stops_run(error)
    (video,) = with_videos(catalogue, 1)
    for state in ("discovered", "downloaded"):
        catalogue.run(leases.claim, [video.id], OWNER, 60)
        if state == "downloaded":
            catalogue.run(videos.record_state, video.id, OWNER, State.DOWNLOADED)
        before = catalogue.run(videos.find_videos, "v0")[0].model_dump(exclude=NOT_THE_ROWS)
        failure = catalogue.run(videos.record_failure, video.id, OWNER, error)
        assert failure is not None and failure.state == state
        row = catalogue.run(videos.find_videos, "v0")[0]
        assert row.model_dump(exclude=NOT_THE_ROWS) == before
        assert row.lease_owner is None and catalogue.run(stats.status).due == 1


@pytest.mark.parametrize(("error", "state", "reason", "timed"), CASES, ids=lambda case: str(case)[:20])
def test_failures(catalogue: Database, error: Exception, state: State, reason: str, timed: bool) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.run(leases.claim, [video.id], OWNER, 60)
    failure = catalogue.run(videos.record_failure, video.id, OWNER, error)
    assert failure is not None
    assert (failure.state, failure.reason, failure.next_check_at is not None) == (state, reason, timed)
    row = catalogue.run(videos.find_videos, "v0")[0]
    tries = 0 if reason == "blocked" else 1  # a block says nothing about the video
    assert (row.state, row.reason, row.lease_owner, row.attempts) == (state, reason, None, tries)
    assert row.message
    assert "\n" not in row.message
    if timed:
        assert row.next_check_at is not None
        assert row.next_check_at > datetime.now(UTC)


def test_a_step_that_succeeds_forgets_what_went_wrong(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.run(leases.claim, [video.id], OWNER, 60)
    catalogue.run(
        videos.record_failure, video.id, OWNER, errors.SourceUnreachable("no route", remedy="Look at the network.")
    )
    assert len(catalogue.run(leases.claim, [video.id], OWNER, 60, only_due=False)) == 1
    catalogue.run(videos.record_state, video.id, OWNER, "downloaded")
    row = catalogue.run(videos.find_videos, "v0")[0]
    assert (row.state, row.reason, row.remedy, row.attempts) == ("downloaded", None, None, 0)
    assert row.lease_owner == OWNER


def test_a_published_video_stays_published(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.run(leases.claim, [video.id], OWNER, 60)
    catalogue.run(publishing.publish, video.id, OWNER, "t", spoken("hello"), {}, {})
    catalogue.run(leases.claim, [video.id], OWNER, 60, only_due=False)
    catalogue.run(videos.record_failure, video.id, OWNER, errors.VideoUnavailable("gone"))
    assert catalogue.run(videos.find_videos, "v0")[0].state == State.PUBLISHED
    assert catalogue.run(search.search, Question("hello"))


def test_exclusion_gives_the_lease_back(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.run(leases.claim, [video.id], OWNER, 60)
    catalogue.run(videos.record_state, video.id, OWNER, State.EXCLUDED, reason="too_long", message="13 hours")
    row = catalogue.run(videos.find_videos, "v0")[0]
    assert (row.state, row.reason, row.lease_owner) == ("excluded", "too_long", None)
    status = catalogue.run(stats.status)
    assert (status.due, status.states["excluded"], status.reasons[0].reason) == (0, 1, "too_long")


def test_what_was_told_decides_when_to_try_again(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    catalogue.run(leases.claim, [video.id], OWNER, 60)
    begins = datetime.now(UTC) + timedelta(days=3)
    failure = catalogue.run(videos.record_failure, video.id, OWNER, errors.NotYet("On Monday.", not_before=begins))
    assert failure is not None
    assert failure.next_check_at == begins


def test_a_broken_download_is_not_taken_for_done(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    for error in (errors.TruncatedMedia("half"), errors.SourceUnreachable("no route"), errors.CorruptMedia("noise")):
        catalogue.run(leases.claim, [video.id], OWNER, 60, only_due=False)
        catalogue.run(videos.record_failure, video.id, OWNER, error)
    assert catalogue.run(videos.find_videos, "v0")[0].rejected == 2


def test_a_stream_that_just_ended_remembers_when(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    for _ in range(2):
        catalogue.run(leases.claim, [video.id], OWNER, 60, only_due=False)
        catalogue.run(
            videos.record_failure, video.id, OWNER, errors.NotYet("It is being processed.", reason="post_live")
        )
        since = catalogue.run(videos.find_videos, "v0")[0].post_live_since
    assert since is not None
    assert since == catalogue.run(videos.find_videos, "v0")[0].post_live_since


def test_failed_videos_can_be_made_due(catalogue: Database) -> None:
    rows = with_videos(catalogue, 3)
    found = [errors.VideoUnavailable("no", reason="members_only"), errors.SourceUnreachable("no"), errors.NotYet("no")]
    for row, error in zip(rows, found, strict=True):
        catalogue.run(leases.claim, [row.id], OWNER, 60)
        catalogue.run(videos.record_failure, row.id, OWNER, error)
    pk = catalogue.run(videos.sources)[0].id
    assert catalogue.run(leases.due, pk) == []
    assert catalogue.run(leases.make_due, pk, ["members_only"]) == 1
    assert [row.video_id for row in catalogue.run(leases.due, pk)] == ["v0"]
    assert catalogue.run(leases.make_due, pk, ["all"]) == 3


def test_delays_double_up_to_a_week() -> None:
    error = errors.TruncatedMedia("half of it")
    first, fifth = (retry_delay(error, attempts) for attempts in (1, 5))
    assert first is not None
    assert fifth is not None
    assert timedelta(minutes=12) <= first <= timedelta(minutes=18)
    assert timedelta(minutes=12) * 16 <= fifth <= timedelta(minutes=18) * 16
    for endless, longest in ((error, LONGEST_DELAY), (errors.NotYet("soon"), LONGEST_WAIT)):
        delay = retry_delay(endless, 10**6)
        assert delay is not None
        assert longest * 0.8 <= delay <= longest * 1.2
    assert retry_delay(errors.VideoUnavailable("no"), 1) is retry_delay(errors.FilteredOut("no"), 1) is None
