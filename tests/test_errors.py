"""The error tree: drawn completely, picklable, one line each."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, datetime, timedelta

import pytest

from channelscribe import errors
from channelscribe.errors import ChannelscribeError, Then


def every_class() -> list[type[ChannelscribeError]]:
    found, queue = [], [ChannelscribeError]
    while queue:
        found.append(kind := queue.pop())
        queue += kind.__subclasses__()
    return [kind for kind in found if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_each_class_is_drawn_exported_and_survives_pickling(kind: type[ChannelscribeError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__name__ in errors.__all__
    assert isinstance(kind.then, Then)
    again_at = datetime(2027, 1, 2, tzinfo=UTC)
    error = kind("It went\nwrong.", remedy="Do\n  this.", reason="members_only", not_before=again_at)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.remedy, again.reason) == ("It went wrong.", "Do this.", "members_only")
    assert again.not_before == again_at
    assert "\n" not in str(again)


def test_a_narrowed_reason_stays_on_its_instance() -> None:
    errors.VideoUnavailable("gone", reason="removed")
    assert errors.VideoUnavailable("gone").reason == "unavailable"


def test_reasons_are_unique() -> None:
    reasons = [kind.reason for kind in every_class()]
    assert len(reasons) == len(set(reasons))


@pytest.mark.parametrize(
    ("ahead", "says"),
    [
        (timedelta(seconds=-5), "now (since "),
        (timedelta(seconds=20), "in less than a minute ("),
        (timedelta(seconds=60), "in 1 minute ("),
        (timedelta(minutes=80, seconds=3), "in 80 minutes ("),
        (timedelta(hours=2), "in 2 hours ("),
        (timedelta(hours=30), "in 30 hours ("),
        (timedelta(days=7), "in 7 days ("),
    ],
)
def test_times_in_messages_have_one_form(ahead: timedelta, says: str) -> None:
    now = datetime(2026, 1, 31, 5, 15, 7, 123456, tzinfo=UTC)
    told = errors.from_now(now + ahead, now)
    assert told.startswith(says)
    assert told.endswith(f"{errors.local_time(now + ahead)})")
    assert re.search(r"\(?(since )?\d{4}-\d\d-\d\d \d\d:\d\d \S+\)$", told), told
