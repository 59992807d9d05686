"""The due videos of a source, a few at a time: what is not taken yet can be another run's."""

from __future__ import annotations

from typing import Any

from channelscribe.catalogue import leases
from tasks.listing import claim_due
from tasks.progress import share_done
from tasks.records import VideoWork
from tasks.resources import catalogue


class DueVideos:
    """Call it with a number for the next videos, leased. Each is given once; after `stop` there are none."""

    def __init__(self, listed: dict[str, Any], owner: str, options: dict[str, Any], limit: int | None) -> None:
        self._listed = listed
        self._owner = owner
        self._options = options
        self._left = limit
        self._had: list[int] = []
        self._over = bool(listed["blocked"])
        self._expected: int | None = None

    def __call__(self, count: int) -> list[VideoWork]:
        wanted = count if self._left is None else min(count, self._left)
        if self._over or wanted <= 0:
            return []
        videos: list[VideoWork] = claim_due(self._listed, self._owner, self._options, wanted, self._had)
        self._had += [video.pk for video in videos]
        if self._left is not None:
            self._left -= len(videos)
        self._over = len(videos) < wanted
        return videos

    def share(self) -> float | None:
        """About how much of the run is done, 0 to 1: of what was due at the first look."""
        if self._expected is None:
            due = catalogue().run(leases.due, self._listed["source_pk"], self._left)
            self._expected = len(self._had) + len(due)
        left = 0 if self._over else max(0, self._expected - len(self._had))
        return share_done(len(self._had), left, catalogue().run(leases.progress, self._owner))

    def stop(self) -> None:
        """Nothing more of this source in this run."""
        self._over = True
