"""Which objects of videos go: of a tombstone all, of others what no row points to and what is older than it may be.

Nothing goes of a video that somebody works on or that is not at the end of its way. Each decision is made again while
the video's row is locked, so no run can take it up, or publish it, between the decision and the deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from channelscribe.catalogue import references
from channelscribe.catalogue.references import Standing, VideoName
from channelscribe.retention.kinds import KINDS, days_of, video_of
from channelscribe.retention.library import Library
from channelscribe.retention.report import Report
from channelscribe.settings.options import RetentionOptions
from channelscribe.store import ObjectInfo

__all__ = ["Rules", "batches", "sweep_videos"]

AT_ONCE = 1000
T = TypeVar("T")


@dataclass(frozen=True)
class Rules:
    """The settings, and the time that ages are counted from."""

    options: RetentionOptions
    now: datetime

    @property
    def orphan_before(self) -> datetime:
        return self.now - timedelta(hours=self.options.orphan_hours)

    def is_orphan(self, found: ObjectInfo) -> bool:
        return found.modified <= self.orphan_before

    def has_expired(self, kind: str, found: ObjectInfo) -> bool:
        days = days_of(kind, self.options)
        return days is not None and found.modified <= self.now - timedelta(days=days)

    def verdict(self, found: ObjectInfo, kind: str, standing: Standing | None) -> str | None:
        """Why an object goes; None: it stays."""
        if standing is None:
            return "orphan" if self.is_orphan(found) else None
        if standing.taken_down:
            return "taken_down"
        if standing.held or not standing.settled:
            return None
        if not standing.points_to(kind, found.key):
            return "orphan" if self.is_orphan(found) else None
        return "expired" if self.has_expired(kind, found) else None


def sweep_videos(library: Library, rules: Rules, report: Report, seen: set[int]) -> None:
    """Everything below the folders of videos. The hashes of all keys that stay are added to `seen`."""
    for folder, kind in KINDS.items():
        for batch in batches(library.store.objects(folder), AT_ONCE):
            of_videos: dict[VideoName, list[ObjectInfo]] = {}
            for found in batch:
                seen.add(hash(found.key))
                if (name := video_of(found.key)) is not None:
                    of_videos.setdefault(name, []).append(found)
            standings = library.catalogue.run(references.standings, list(of_videos))
            for name, objects in of_videos.items():
                going = _going(objects, kind, standings.get(name), rules)
                if going and report.deleted:
                    going = _delete(library, name, kind, [found for found, _ in going], rules)
                for found, why in going:
                    seen.discard(hash(found.key))
                    report.add(why, kind, found.key, found.bytes)


def _going(
    objects: list[ObjectInfo], kind: str, standing: Standing | None, rules: Rules
) -> list[tuple[ObjectInfo, str]]:
    verdicts = ((found, rules.verdict(found, kind, standing)) for found in objects)
    return [(found, why) for found, why in verdicts if why is not None]


def _delete(
    library: Library, name: VideoName, kind: str, objects: list[ObjectInfo], rules: Rules
) -> list[tuple[ObjectInfo, str]]:
    with library.catalogue.session() as session:
        going = _going(objects, kind, references.locked_standing(session, name), rules)
        library.store.delete_all([found.key for found, _ in going])
    return going


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
