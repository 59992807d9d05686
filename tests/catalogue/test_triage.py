"""What filters and listings make of videos before anything is asked for them, and when they change their mind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from channelscribe.catalogue import leases, listings, publishing, stats, triage, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.triage import Judge
from channelscribe.errors import ChannelscribeError, NotYet, SourceUnreachable
from channelscribe.settings.options import FilterOptions
from channelscribe.sources.filters import Facts, verdict
from channelscribe.sources.spool import Listing
from tests.catalogue.records import OWNER, Listed, Video, spoken

SOON = datetime.now(UTC) + timedelta(days=2)


def judge(has_account: bool = False, **filters: object) -> Judge:
    return partial(verdict, filters=FilterOptions.model_validate(filters), has_account=has_account)


def states(catalogue: Database) -> dict[str, tuple[str, str | None]]:
    return {
        row.video_id: (row.state, row.reason)
        for row in catalogue.run(videos.list_videos, catalogue.run(videos.sources)[0].id)
    }


def test_a_no_is_recorded_with_its_rule_and_taken_back(catalogue: Database) -> None:
    listing = Listed([Video("long", duration=7200), Video("short", duration=30), Video("said", "Trailer: a film")])
    report = triage.record_listing(catalogue, listing, judge(max_minutes=60, not_title="^trailer"))
    assert states(catalogue) == {
        "long": ("excluded", "filter_duration"),
        "short": ("discovered", None),
        "said": ("excluded", "filter_title"),
    }
    assert "filters.max_minutes = 60" in (catalogue.run(videos.find_videos, "long")[0].message or "")
    assert [row.video_id for row in catalogue.run(leases.due, report.source_pk)] == ["short"]
    triage.record_listing(catalogue, listing, judge(min_minutes=1))
    assert states(catalogue)["short"] == ("excluded", "filter_duration")
    assert states(catalogue)["long"] == states(catalogue)["said"] == ("discovered", None)


def with_two_sources(catalogue: Database) -> tuple[Listing, Listing]:
    both = [Video("a", "A talk"), Video("b", "Trailer")]
    other = Listed(
        both, url="https://www.youtube.com/playlist?list=PL1", source_id="PL1", title="List", kind="playlist"
    )
    return Listed(both), other


def due_of(catalogue: Database, pk: int) -> list[str]:
    return [row.video_id for row in catalogue.run(leases.due, pk)]


@pytest.mark.parametrize("strict_last", [False, True])
def test_two_syncs_with_different_filters_have_each_their_own_verdict(catalogue: Database, strict_last: bool) -> None:
    channel, playlist = with_two_sources(catalogue)
    pks = {}
    for name in ("all", "strict") if strict_last else ("strict", "all"):
        listing, filters = (channel, {"not_title": "trailer"}) if name == "strict" else (playlist, {})
        pks[name] = triage.record_listing(catalogue, listing, judge(**filters)).source_pk
    assert due_of(catalogue, pks["all"]) == ["a", "b"]
    assert due_of(catalogue, pks["strict"]) == ["a"]
    # The one whose filters are against it never gets it, whatever the other has made of the row.
    assert [row.video_id for row in catalogue.run(leases.claim_next, pks["strict"], OWNER, 60, 9)] == ["a"]
    assert catalogue.run(leases.left_in_source, pks["strict"], OWNER).free == 0
    left_out = catalogue.run(triage.dry_run, channel, judge(not_title="trailer")).left_out
    assert ("excluded", "filter_title", "Left out here; another source wants it.") in [
        (each.state, each.reason, each.message) for each in left_out
    ]
    assert [row.video_id for row in catalogue.run(leases.claim_next, pks["all"], OWNER, 60, 9)] == ["b"]


def test_what_nobody_wants_any_more_is_excluded(catalogue: Database) -> None:
    channel, playlist = with_two_sources(catalogue)
    triage.record_listing(catalogue, channel, judge(not_title="trailer"))
    triage.record_listing(catalogue, playlist, judge())
    assert states(catalogue)["b"] == ("discovered", None)
    triage.record_listing(catalogue, playlist, judge(max_minutes=0.5))
    assert states(catalogue) == {"a": ("discovered", None), "b": ("excluded", "filter_duration")}


def test_a_sync_says_that_it_changes_what_an_earlier_one_left_out(catalogue: Database) -> None:
    listing = Listed([Video("a", "A talk"), Video("b", "Trailer"), Video("c", "Trailer 2")])
    counts = [
        (report.filtered, report.wanted)
        for report in (
            triage.record_listing(catalogue, listing, judge(not_title="trailer")),
            triage.record_listing(catalogue, listing, judge(not_title="trailer")),
            triage.record_listing(catalogue, listing, judge(not_title="2")),
        )
    ]
    assert counts == [(2, 0), (0, 0), (0, 1)]


def test_only_the_newest_of_what_the_filters_let_through(catalogue: Database) -> None:
    days = [Video(f"v{day}", published=date(2024, 5, day), position=day) for day in range(1, 7)]
    listing = Listed([*days, Video("undated", published=None, position=0)], kind="playlist")
    strict = judge(not_title="nothing", published_to="2024-05-05")
    pk = triage.record_listing(catalogue, listing, strict, newest=2).source_pk
    assert sorted(due_of(catalogue, pk)) == ["v4", "v5"]
    assert states(catalogue)["v3"] == states(catalogue)["undated"] == ("excluded", "filter_newest")
    assert states(catalogue)["v6"] == ("excluded", "filter_date")
    assert "filters.newest = 2" in (catalogue.run(videos.find_videos, "v3")[0].message or "")
    # What is published counts as one of the newest; what is new takes the place of the oldest of them.
    row = catalogue.run(leases.claim, [catalogue.run(videos.find_videos, "v5")[0].id], OWNER, 60)[0]
    catalogue.run(publishing.publish, row.id, OWNER, "t", spoken("hello"), {}, {})
    report = triage.record_listing(catalogue, listing, judge(), newest=2)
    assert (due_of(catalogue, pk), report.wanted, report.filtered) == (["v6"], 1, 1)
    assert set(due_of(catalogue, triage.record_listing(catalogue, listing, judge()).source_pk)) == {
        "undated", "v1", "v2", "v3", "v4", "v6"
    }  # fmt: skip
    dry = catalogue.run(triage.dry_run, listing, judge(), None, 1)
    assert [each.video for each in dry.planned] == ["v6"]


def test_one_season_of_a_podcast(catalogue: Database) -> None:
    listing = Listed([Video("a", about={"season": "1"}), Video("b", about={"season": "2"}), Video("bonus")])
    pk = triage.record_listing(catalogue, listing, judge(season=2)).source_pk
    assert due_of(catalogue, pk) == ["b"]
    assert states(catalogue)["bonus"] == ("excluded", "filter_season")


def test_a_dry_run_tells_what_would_be_tried_again(catalogue: Database) -> None:
    listing = Listed([Video("a"), Video("b")])
    pk = triage.record_listing(catalogue, listing, judge()).source_pk
    row = catalogue.run(leases.claim_next, pk, OWNER, 60, 1)[0]
    catalogue.run(videos.record_failure, row.id, OWNER, SourceUnreachable("no route"))
    planned = {}
    for again in ((), ("unreachable",), ("members_only",), ("all",)):
        found = catalogue.run(triage.dry_run, listing, judge(), None, None, again)
        planned[again] = [each.video for each in found.planned]
    assert planned == {(): ["b"], ("unreachable",): ["a", "b"], ("members_only",): ["b"], ("all",): ["a", "b"]}
    assert due_of(catalogue, pk) == ["b"]


def test_what_is_published_or_in_work_is_not_judged(catalogue: Database) -> None:
    listing = Listed([Video("done", position=0), Video("busy", position=1), Video("free", position=2)])
    pk = catalogue.run(listings.record_listing, listing).source_pk
    done, _ = catalogue.run(leases.claim_next, pk, OWNER, 60, 2)
    catalogue.run(publishing.publish, done.id, OWNER, "t", spoken("hello"), {}, {})
    triage.record_listing(catalogue, listing, judge(title="nothing has this"))
    assert states(catalogue) == {
        "done": ("published", None),
        "busy": ("discovered", None),
        "free": ("excluded", "filter_title"),
    }


def test_what_another_run_does_meanwhile_stands(catalogue: Database) -> None:
    listing = Listed([Video("a"), Video("b")])
    pk = catalogue.run(listings.record_listing, listing).source_pk

    def slow(facts: Facts) -> ChannelscribeError | None:
        for row in catalogue.run(leases.claim_next, pk, OWNER, 60, 1):
            catalogue.run(publishing.publish, row.id, OWNER, f"{row.id}", spoken("hello"), {}, {})
        return verdict(facts, FilterOptions(title="nothing has this"), has_account=False)

    triage.record_listing(catalogue, listing, slow)
    assert states(catalogue) == {"a": ("published", None), "b": ("published", None)}


def test_upcoming_waits_for_its_time_without_being_asked(catalogue: Database) -> None:
    listing = Listed([Video("a", live_status="is_upcoming", release_at=SOON), Video("b", live_status="is_live")])
    pk = triage.record_listing(catalogue, listing, judge()).source_pk
    assert states(catalogue) == {"a": ("waiting", "upcoming"), "b": ("waiting", "live")}
    assert catalogue.run(videos.find_videos, "a")[0].next_check_at == SOON
    assert catalogue.run(leases.due, pk) == []
    later = SOON + timedelta(days=1)
    listing.videos[0] = replace(listing.videos[0], release_at=later)
    triage.record_listing(catalogue, listing, judge())
    assert catalogue.run(videos.find_videos, "a")[0].next_check_at == later
    listing.videos[0] = replace(listing.videos[0], live_status="was_live")
    triage.record_listing(catalogue, listing, judge())
    assert [row.video_id for row in catalogue.run(leases.due, pk)] == ["a"]


def test_a_delay_that_backs_off_is_not_shortened_by_the_next_listing(catalogue: Database) -> None:
    listing = Listed([Video("a", live_status="is_live")])
    pk = triage.record_listing(catalogue, listing, judge()).source_pk
    row = catalogue.run(videos.find_videos, "a")[0]
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)
    failure = catalogue.run(videos.record_failure, row.id, OWNER, NotYet("It is live.", reason="live"))
    assert failure is not None
    triage.record_listing(catalogue, listing, judge())
    assert catalogue.run(videos.find_videos, "a")[0].next_check_at == failure.next_check_at
    assert catalogue.run(leases.due, pk) == []


def test_members_only_is_asked_again_when_the_listing_drops_the_mark(catalogue: Database) -> None:
    listing = Listed([Video("a", availability="subscriber_only")])
    pk = triage.record_listing(catalogue, listing, judge()).source_pk
    assert states(catalogue) == {"a": ("unavailable", "members_only")}
    triage.record_listing(catalogue, listing, judge())
    assert catalogue.run(leases.due, pk) == []
    listing.videos[0] = replace(listing.videos[0], availability=None)
    triage.record_listing(catalogue, listing, judge())
    assert states(catalogue) == {"a": ("discovered", None)}
    assert [row.video_id for row in catalogue.run(leases.due, pk)] == ["a"]


def test_an_account_may_be_a_members(catalogue: Database) -> None:
    triage.record_listing(catalogue, Listed([Video("a", availability="subscriber_only")]), judge(has_account=True))
    assert states(catalogue) == {"a": ("discovered", None)}


def test_filters_hold_for_what_is_tried_again(catalogue: Database) -> None:
    listing = Listed([Video("a", live_status="is_live")])
    pk = catalogue.run(listings.record_listing, listing).source_pk
    row = catalogue.run(leases.claim_next, pk, OWNER, 60, 1)[0]
    catalogue.run(videos.record_failure, row.id, OWNER, SourceUnreachable("no route"))
    triage.record_listing(catalogue, listing, judge())
    assert states(catalogue) == {"a": ("retrying", "unreachable")}
    triage.record_listing(catalogue, listing, judge(live=False))
    assert states(catalogue) == {"a": ("excluded", "filter_live")}


def test_a_rehearsal_writes_nothing(catalogue: Database) -> None:
    first = Listed([Video("known")])
    pk = triage.record_listing(catalogue, first, judge()).source_pk
    row = catalogue.run(leases.claim_next, pk, OWNER, 60, 1)[0]
    catalogue.run(videos.record_failure, row.id, OWNER, SourceUnreachable("no route"))
    catalogue.run(leases.make_due, pk, ["unreachable"])
    listing = Listed([Video("known"), Video("new"), Video("no", "Trailer"), Video("soon", live_status="is_upcoming")])
    found = catalogue.run(triage.dry_run, listing, judge(not_title="trailer"))
    assert [(each.video, each.action, each.why) for each in found.planned] == [
        ("known", "try again", "unreachable, tried 1 x"),
        ("new", "download, transcribe, publish", "not fetched yet"),
    ]
    assert {(each.state, each.reason, each.videos) for each in found.left_out} == {
        ("excluded", "filter_title", 1),
        ("waiting", "upcoming", 1),
    }
    assert (found.report.listed, found.report.new, found.waiting) == (4, 3, 1)
    assert states(catalogue) == {"known": ("retrying", "unreachable")}


def test_more_than_a_page_of_videos(catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triage, "PAGE", 50)
    videos = [Video(f"v{n}", duration=n * 60.0, position=n) for n in range(110)]
    report = triage.record_listing(catalogue, Listed(videos), judge(max_minutes=9))
    assert (report.new, len(catalogue.run(leases.due, report.source_pk))) == (110, 10)
    assert catalogue.run(stats.status).states["excluded"] == 100
