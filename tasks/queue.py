"""The videos of a run, leased a few at a time: one queue for syncs, re-transcriptions and re-readings.

What is not leased yet can be another run's. A claim passes over rows that somebody else has locked at that moment, so
getting fewer than asked for is not the end: the end is when a count says that nothing is left which is free.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from channelscribe.catalogue import leases, stats
from channelscribe.catalogue.leases import Left
from channelscribe.catalogue.tables import VideoRow
from channelscribe.discovery import Listed
from channelscribe.settings import Settings
from tasks.artifacts import share_done
from tasks.records import VideoWork
from tasks.resources import catalogue

__all__ = ["VideoQueue", "chosen_videos", "due_videos"]

AGAIN_SECONDS = 0.2
LOCKED_SECONDS = 60.0
"""How long rows may stay locked by a transaction of somebody else; then they are with another run."""
FRESH = timedelta(days=3)

Claim = Callable[[int, Sequence[int]], list[VideoWork]]
Count = Callable[[Sequence[int]], Left]


class VideoQueue:
    """`next` gives the run's next videos, leased, each of them once; `taken` are all that it gave.

    `claim(count, given_back)` leases videos, `left(given_back)` counts those that it could still lease and those that
    others hold. Videos of this run that came back without being done (`give_back`) are not leased again by it.
    """

    def __init__(self, owner: str, claim: Claim, left: Count, limit: int | None = None) -> None:
        self.owner = owner
        self.taken: list[VideoWork] = []
        self.held = 0
        self.held_until: datetime | None = None
        self._claim, self._left, self._limit = claim, left, limit
        self._given_back: list[int] = []
        self._had: set[int] = set()
        self._over = False
        self._expected: int | None = None
        self._locked_since: float | None = None

    def next(self, count: int) -> list[VideoWork]:
        """Up to `count` further videos; fewer, or none, does not say that the queue is at its end."""
        wanted = count if self._limit is None else min(count, self._limit - len(self.taken))
        if self._over or wanted <= 0:
            return []
        # A lease of ours that ran out, while the database was away, is ours again: no second piece of work.
        videos = [video for video in self._claim(wanted, self._given_back) if video.pk not in self._had]
        self._had.update(video.pk for video in videos)
        self.taken += videos
        if len(videos) < wanted:
            self._look(found=bool(videos))
        return videos

    def batches(self, count: int) -> Iterator[list[VideoWork]]:
        """All that is left, up to `count` at a time."""
        while not self.is_over():
            if videos := self.next(count):
                yield videos
            else:
                time.sleep(AGAIN_SECONDS)

    def has_work(self) -> bool:
        """Whether there is something that nobody works on."""
        return not self.is_over() and self._left(self._given_back).free > 0

    def longest_seconds(self) -> float:
        """Of what `has_work` speaks of."""
        return self._left(self._given_back).longest

    def is_over(self) -> bool:
        """Whether `next` gives nothing any more."""
        return self._over or (self._limit is not None and len(self.taken) >= self._limit)

    def give_back(self, video: VideoWork) -> None:
        """The run is done with a video that it did not get through; it may still be due."""
        self._given_back.append(video.pk)

    def stop(self) -> None:
        """Nothing more in this run."""
        self._over = True

    def share(self) -> float | None:
        """About how much of the run is done, 0 to 1: of what there was at the first look."""
        if self._expected is None:
            left = self._left(self._given_back).free
            self._expected = len(self.taken) + (left if self._limit is None else min(left, self._limit))
        left = 0 if self._over else max(0, self._expected - len(self.taken))
        return share_done(len(self.taken), left, catalogue().run(stats.progress, self.owner))

    def _look(self, *, found: bool) -> None:
        """After a claim that got fewer than it asked for: is this the end, or are rows locked for a moment?"""
        left = self._left(self._given_back)
        self.held, self.held_until = left.held, left.until
        if not left.free:
            self._over = True
        elif found:
            self._locked_since = None
        elif self._locked_since is None:
            self._locked_since = time.monotonic()
        elif time.monotonic() - self._locked_since > LOCKED_SECONDS:
            self.held += left.free
            self._over = True


def due_videos(listed: Listed, owner: str, settings: Settings, limit: int | None) -> VideoQueue:
    """The due videos of a source, in its order."""

    def claim(count: int, given_back: Sequence[int]) -> list[VideoWork]:
        values = (listed.source_pk, owner, settings.lease_seconds, count, given_back)
        return [video_work(row, listed.title, owner, settings) for row in catalogue().run(leases.claim_next, *values)]

    def left(given_back: Sequence[int]) -> Left:
        return catalogue().run(leases.left_in_source, listed.source_pk, owner, given_back)

    queue = VideoQueue(owner, claim, left, limit)
    if listed.blocked:
        queue.stop()
    return queue


def chosen_videos(chosen: Sequence[VideoWork], owner: str, lease_seconds: float) -> VideoQueue:
    """Given videos, due or not, in their order; nobody holds them for this run yet."""
    works = {video.pk: video for video in chosen}

    def claim(count: int, given_back: Sequence[int]) -> list[VideoWork]:
        waiting = [pk for pk in works if pk not in had]
        rows = catalogue().run(leases.claim, waiting, owner, lease_seconds, only_due=False, count=count)
        had.update(row.id for row in rows)
        return [works[row.id] for row in rows]

    def left(given_back: Sequence[int]) -> Left:
        return catalogue().run(leases.left_of, [pk for pk in works if pk not in had], owner)

    had: set[int] = set()
    return VideoQueue(owner, claim, left)


def video_work(row: VideoRow, channel: str, owner: str, settings: Settings) -> VideoWork:
    """A leased row as the steps know it."""
    long_ago = datetime.now(UTC) - timedelta(hours=settings.sources.post_live_hours)
    return VideoWork(
        pk=row.id,
        site=row.site,
        video_id=row.video_id,
        url=row.url,
        title=row.title,
        channel=channel,
        owner=owner,
        rejected=row.rejected,
        unfinished=row.post_live_since is not None and row.post_live_since <= long_ago,
        fresh=row.published is not None and row.published >= (datetime.now(UTC) - FRESH).date(),
    )
