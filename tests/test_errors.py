"""The error tree: drawn completely, picklable, one line each."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

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
