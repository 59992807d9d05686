"""A service that dies is started again, later each time, and not for ever."""

from __future__ import annotations

import itertools

import pytest

from channelscribe.local_stack import revivals
from channelscribe.local_stack.revivals import MOST_IN_A_ROW, STEADY_SECONDS, Revivals


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(revivals.time, "monotonic", lambda: now[0])
    return now


def waited(known: Revivals, clock: list[float]) -> float:
    """Seconds until a service that has just died is started again."""
    for tenths in itertools.count():
        if known.due("one"):
            return tenths / 10
        assert known.hopeful("one")
        clock[0] += 0.1
    raise AssertionError


def test_what_never_answered_is_not_started_again(clock: list[float]) -> None:
    known = Revivals()
    known.answered(["another"])
    assert not known.hopeful("one")
    assert not any(known.due("one") for _ in range(5))


def test_less_and_less_soon_and_then_not_any_more(clock: list[float]) -> None:
    known = Revivals()
    known.answered(["one"])
    waits = [waited(known, clock) for _ in range(MOST_IN_A_ROW)]
    assert waits == sorted(waits) and waits[0] < 1 and 30 < waits[-1] < 40
    assert not known.due("one")
    assert not known.hopeful("one")


def test_a_long_life_makes_up_for_it(clock: list[float]) -> None:
    known = Revivals()
    known.answered(["one"])
    first = waited(known, clock)
    assert waited(known, clock) > first
    clock[0] += STEADY_SECONDS + 1
    assert waited(known, clock) == pytest.approx(first, abs=0.11)
