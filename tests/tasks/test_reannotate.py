"""Transcripts in groups by their words, whose size changes nothing; what fails of a group."""

from __future__ import annotations

import pytest

from channelscribe.catalogue.videos import Outcome, outcomes
from tasks import reannotate
from tasks.records import VideoWork


class Counted:
    """Stands in for the catalogue: transcripts of so many words."""

    def __init__(self, words: list[int]) -> None:
        self._words = words

    def run(self, function: object, pks: list[int]) -> dict[int, Outcome]:
        assert function is outcomes
        one = ("v", "published", None, None, None, None, "t", 1)
        return {pk: Outcome(pk, *one, self._words[pk], 1.0) for pk in pks}


@pytest.mark.parametrize(
    ("words", "groups"),
    [
        ([], []),
        ([10, 20, 30], [[0, 1, 2]]),
        ([60, 50, 40, 100, 1], [[0], [1, 2], [3], [4]]),
        ([500, 1], [[0], [1]]),
        ([0, 5, 0], [[0, 1, 2]]),
    ],
)
def test_groups(words: list[int], groups: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reannotate, "catalogue", lambda: Counted(words))
    videos = [
        VideoWork(pk=pk, site="s", video_id=f"v{pk}", url="u", title="t", channel="c", owner="o")
        for pk in range(len(words))
    ]
    assert [[video.pk for video in group] for group in reannotate.by_words(videos, most=100)] == groups
