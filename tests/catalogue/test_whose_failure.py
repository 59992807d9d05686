"""Verdicts for good need two days; what the machine failed at comes last; a wrong clock changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from channelscribe import errors
from channelscribe.catalogue import leases, listings, videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.tables import State, VideoRow
from tests.catalogue.records import OWNER, Listed, Video, with_videos

SOON = timedelta(hours=1.5)


def pass_time(catalogue: Database, **time: float) -> None:
    """Everything that a row remembers happened earlier by so much."""
    shift = timedelta(**time)
    with catalogue.session() as session:
        execute(
            session,
            "UPDATE video SET verdict_at = verdict_at - CAST(:shift AS interval), "
            "next_check_at = next_check_at - CAST(:shift AS interval)",
            shift=shift,
        )


def fail(catalogue: Database, video_pk: int, error: Exception) -> VideoRow:
    assert catalogue.run(leases.claim, [video_pk], OWNER, 60, only_due=False)
    catalogue.run(videos.record_failure, video_pk, OWNER, error)
    (row,) = catalogue.run(videos.rows_of, [video_pk])
    assert row.lease_owner is None
    return row


def episode(catalogue: Database, kind: str = "feed") -> int:
    listing = Listed([Video("e1", site="generic")], site="generic", url="https://example.org/feed.xml", kind=kind)
    catalogue.run(listings.record_listing, listing)
    return catalogue.run(videos.find_videos, "e1")[0].id


GONE = errors.SourceNotFound("https://example.org/e1.mp3 answered with HTTP status 404.")
EMPTY = errors.EmptyMedia("https://example.org/e1.mp3 is an empty file.")
FOR_GOOD = [
    *(GONE, EMPTY, errors.NoMedia("nothing to play"), errors.AddressRefused("private"), errors.NoAudioTrack("silent")),
    *(errors.CorruptMedia("noise"), errors.MediaTooLong("13 h"), errors.MediaTooLarge("5 GB")),
    errors.VideoUnavailable("Video unavailable"),
]


@pytest.mark.parametrize("error", FOR_GOOD, ids=lambda error: type(error).__name__)
def test_a_verdict_for_good_needs_the_same_answer_on_two_days(
    catalogue: Database, error: errors.ChannelscribeError
) -> None:
    (video,) = with_videos(catalogue, 1)
    assert fail(catalogue, video.id, error).state == State.RETRYING
    assert fail(catalogue, video.id, error).state == State.RETRYING  # the same day
    pass_time(catalogue, days=1)
    row = fail(catalogue, video.id, error)
    assert (row.state, row.reason, row.next_check_at) == (State.UNAVAILABLE, error.reason, None)


@pytest.mark.parametrize("reason", ["private", "removed", "members_only", "geo_blocked", "copyright", "drm"])
def test_what_the_site_says_in_words_counts_at_once(catalogue: Database, reason: str) -> None:
    (video,) = with_videos(catalogue, 1)
    assert fail(catalogue, video.id, errors.VideoUnavailable("It says so.", reason=reason)).state == State.UNAVAILABLE


def test_another_answer_starts_anew(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    fail(catalogue, video.id, GONE)
    pass_time(catalogue, days=1)
    assert fail(catalogue, video.id, EMPTY).state == State.RETRYING
    pass_time(catalogue, days=1)
    assert fail(catalogue, video.id, GONE).state == State.RETRYING


def test_a_step_that_succeeds_takes_a_verdict_back(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    fail(catalogue, video.id, GONE)
    catalogue.run(leases.claim, [video.id], OWNER, 60)
    catalogue.run(videos.record_state, video.id, OWNER, State.DOWNLOADED)
    catalogue.run(leases.release, [video.id], OWNER)
    pass_time(catalogue, days=3)
    assert fail(catalogue, video.id, GONE).state == State.RETRYING


def test_midnight_makes_no_second_day(catalogue: Database) -> None:
    (video,) = with_videos(catalogue, 1)
    fail(catalogue, video.id, GONE)
    since_midnight = datetime.now(UTC) - datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    pass_time(catalogue, seconds=min(since_midnight.total_seconds() + 60, 5.9 * 3600))
    assert fail(catalogue, video.id, GONE).state == State.RETRYING


@pytest.mark.parametrize("error", [GONE, EMPTY], ids=["404", "0 bytes"])
def test_while_a_feed_lists_it_it_is_tried_again_further_and_further_apart(
    catalogue: Database, error: errors.ChannelscribeError
) -> None:
    pk = episode(catalogue)
    row = fail(catalogue, pk, error)
    assert row.state == State.RETRYING and row.next_check_at is None  # with the next run
    assert [each.id for each in catalogue.run(leases.due, catalogue.run(videos.sources)[0].id)] == [pk]
    gaps = []
    for _ in range(10):
        row = fail(catalogue, pk, error)
        assert row.state == State.RETRYING and row.next_check_at is not None
        gaps.append(row.next_check_at - datetime.now(UTC))
        pass_time(catalogue, seconds=gaps[-1].total_seconds() + 60)
    assert gaps[0] < SOON < gaps[3] < gaps[6] and max(gaps) > timedelta(days=5)
    assert max(gaps) <= videos.LONGEST_DELAY * 1.2
    catalogue.run(listings.record_listing, Listed([], site="generic", url="https://example.org/feed.xml", kind="feed"))
    assert fail(catalogue, pk, error).state == State.UNAVAILABLE  # the feed dropped it


def test_a_playlist_lists_what_is_gone_for_good(catalogue: Database) -> None:
    pk = episode(catalogue, kind="playlist")
    fail(catalogue, pk, GONE)
    pass_time(catalogue, days=1)
    assert fail(catalogue, pk, GONE).state == State.UNAVAILABLE


def test_a_transcript_stays_whatever_is_said_later(catalogue: Database) -> None:
    from tests.catalogue.records import published, spoken

    row = published(catalogue, spoken("hello"), Video("v0"))
    fail(catalogue, row.id, GONE)
    pass_time(catalogue, days=1)
    assert fail(catalogue, row.id, GONE).state == State.PUBLISHED


def test_what_the_machine_failed_at_comes_last(catalogue: Database) -> None:
    """A video that takes the machine's memory each time does not keep the others from their turn."""
    rows = with_videos(catalogue, 3)
    pk = catalogue.run(videos.sources)[0].id
    fail(catalogue, rows[0].id, errors.ProgramFailed("ffmpeg was killed (SIGKILL)."))
    assert [row.video_id for row in catalogue.run(leases.claim_next, pk, OWNER, 60, 2, [])] == ["v1", "v2"]
    assert [row.video_id for row in catalogue.run(leases.due, pk)] == ["v0"]
    catalogue.run(leases.claim, [rows[0].id], OWNER, 60)
    catalogue.run(videos.record_state, rows[0].id, OWNER, State.DOWNLOADED)
    assert catalogue.run(videos.rows_of, [rows[0].id])[0].setbacks == 0


def test_a_clock_that_jumped_back_delays_nothing(catalogue: Database) -> None:
    """A verdict from the future, by a clock that was wrong, is no earlier day; the database's clock counts."""
    (video,) = with_videos(catalogue, 1)
    fail(catalogue, video.id, GONE)
    pass_time(catalogue, days=-400)
    row = fail(catalogue, video.id, GONE)
    assert row.state == State.RETRYING and row.verdict_at is not None
    assert row.verdict_at <= datetime.now(UTC) + timedelta(minutes=1)
    pass_time(catalogue, days=1)
    assert fail(catalogue, video.id, GONE).state == State.UNAVAILABLE


def test_a_workers_own_clock_does_not_matter(catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2099, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(videos, "datetime", Ahead)
    (video,) = with_videos(catalogue, 1)
    row = fail(catalogue, video.id, errors.TruncatedMedia("half of it"))
    assert row.next_check_at is not None
    assert timedelta() < row.next_check_at - datetime.now(UTC) < timedelta(hours=1)
