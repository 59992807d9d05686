"""The filters, rule by rule; what is not known never excludes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from channelscribe.errors import FilteredOut, NotYet, VideoUnavailable
from channelscribe.settings.options import FilterOptions
from channelscribe.sources.entries import page_facts
from channelscribe.sources.filters import refuse_filtered, verdict
from channelscribe.sources.spool import ListedVideo

VIDEO = ListedVideo("a", "youtube", "https://www.youtube.com/watch?v=a", "Tides & Times", 600.0, date(2024, 5, 1))
UNKNOWN = replace(VIDEO, duration=None, published=None)


@pytest.mark.parametrize(
    ("filters", "video", "reason"),
    [
        ({"title": "tides"}, VIDEO, None),
        ({"title": "^times"}, VIDEO, "filter_title"),
        ({"not_title": "TIMES$"}, VIDEO, "filter_title"),
        ({"min_minutes": 10}, VIDEO, None),
        ({"min_minutes": 10.1}, VIDEO, "filter_duration"),
        ({"max_minutes": 10}, VIDEO, None),
        ({"max_minutes": 9.9}, VIDEO, "filter_duration"),
        ({"published_from": "2024-05-01", "published_to": "2024-05-01"}, VIDEO, None),
        ({"published_from": "2024-05-02"}, VIDEO, "filter_date"),
        ({"published_to": "2024-04-30"}, VIDEO, "filter_date"),
        ({"min_minutes": 99, "max_minutes": 1, "published_from": "2030-01-01"}, UNKNOWN, None),
        ({"live": False}, replace(VIDEO, live_status="was_live"), "filter_live"),
        ({"live": False}, replace(VIDEO, live_status="not_live"), None),
        ({"shorts": False}, replace(VIDEO, tab="shorts"), "filter_shorts"),
        ({"shorts": False}, replace(VIDEO, tab="streams"), None),
    ],
)
def test_rules(filters: dict[str, object], video: ListedVideo, reason: str | None) -> None:
    found = verdict(video, FilterOptions.model_validate(filters), has_account=False)
    assert (found.reason if found else None) == reason
    if found is not None:
        assert isinstance(found, FilteredOut)
        assert found.remedy.startswith("Change filters.")


def test_what_a_listing_says() -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    soon = verdict(replace(VIDEO, live_status="is_upcoming", release_at=later), FilterOptions(), has_account=False)
    assert isinstance(soon, NotYet)
    assert (soon.reason, soon.not_before) == ("upcoming", later)
    past = replace(VIDEO, live_status="is_upcoming", release_at=later - timedelta(days=1))
    late = verdict(past, FilterOptions(), has_account=False)
    assert late is not None
    assert late.not_before is None
    members = replace(VIDEO, availability="subscriber_only")
    assert isinstance(verdict(members, FilterOptions(), has_account=False), VideoUnavailable)
    assert verdict(members, FilterOptions(), has_account=True) is None


def test_a_page_tells_what_the_listing_did_not() -> None:
    info = {"id": "a", "title": "x", "duration": 60.0, "timestamp": 1_500_000_000, "live_status": "was_live"}
    page = page_facts(info, "https://example.org/a", "UTC")
    refuse_filtered(page, FilterOptions(title="another", shorts=False))
    for filters in (FilterOptions(min_minutes=2), FilterOptions(live=False)):
        with pytest.raises(FilteredOut):
            refuse_filtered(page, filters)
    with pytest.raises(FilteredOut, match="published_from = 2020-01-01"):
        refuse_filtered(page, FilterOptions.model_validate({"published_from": "2020-01-01"}))


def test_a_pattern_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        FilterOptions(title="(")
