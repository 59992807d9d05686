"""One round of random kills; `make chaos KILLS=50` makes as many as it takes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.random_kills import round_of, undisturbed
from tests.chaos.world import short_videos

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900), pytest.mark.long]


def test_killed_at_any_moment_ends_as_one_that_was_left_alone(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**9)
    with short_videos(1) as site:
        expected = undisturbed(tmp_path / "undisturbed", site, 1)
        told = round_of(tmp_path / "struck", site, seed, expected, kills=3, videos=1)
    assert told.wrong == [], str(told)
    assert len(told.struck) == 3
