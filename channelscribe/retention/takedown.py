"""Takes one video down: everything of it, everywhere, and leaves a tombstone, so that no sync brings it back.

The tombstone comes first: from then on no run can publish the video, and what a run still writes is swept without any
delay. Then the files go, then what a run wrote meanwhile. Killed half-way, the same again does the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from channelscribe.catalogue import references, videos
from channelscribe.catalogue.references import Remains
from channelscribe.catalogue.tables import VideoRow
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.retention.kinds import CHECKPOINTS, KINDS, video_of
from channelscribe.retention.leftovers import results_that_name, size_of
from channelscribe.retention.library import Library
from channelscribe.retention.report import Report
from channelscribe.store import ObjectInfo

__all__ = ["TakedownReport", "find_one", "take_down"]

PASSES = 3
"""A run that has just lost the video may still be writing a file of it."""


@dataclass(frozen=True, slots=True)
class TakedownReport:
    """`rows` counts what the catalogue held, `going` what the store and this machine did. `in_work`: a run had it."""

    video: str
    rows: dict[str, int]
    in_work: bool
    again: bool
    going: Report

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        facts = {"video": self.video, "rows": self.rows, "in_work": self.in_work, "again": self.again}
        return {**facts, **self.going.to_dict()}


def find_one(library: Library, wanted: str) -> VideoRow:
    """The one video that is meant. Raises UnknownVideo, and UsageError when it may be several."""
    found = library.catalogue.run(videos.find_videos, wanted)
    if not found:
        raise UnknownVideo(f"There is no video {wanted!r} in the library.", remedy="Give its id, site:id or URL.")
    if len(found) > 1:
        names = ", ".join(f"{row.site}:{row.video_id}" for row in found)
        raise UsageError(f"{wanted!r} may be {names}.", remedy="Say which: site:id.")
    return found[0]


def take_down(library: Library, video: VideoRow, *, delete: bool) -> TakedownReport:
    """Delete everything of a video; without `delete`, say what there is."""
    catalogue, report = library.catalogue, Report(delete)
    before: Remains = catalogue.run(references.remains, video.id)
    if delete:
        catalogue.run(references.mark_taken_down, video.id)
    name = (video.site, video.video_id)
    for _ in range(PASSES if delete else 1):
        objects = _objects(library, video)
        for found in objects:
            report.add("taken_down", _kind(found.key), found.key, found.bytes)
        if delete:
            library.store.delete_all([found.key for found in objects])
        _leftovers(library, name, [found.key for found in objects], report)
        if not objects:
            break
    if delete:
        catalogue.run(references.forget_checkpoints, video_pk=video.id)
    return TakedownReport(f"{name[0]}:{name[1]}", before.rows, before.leased, before.taken_down, report)


def _objects(library: Library, video: VideoRow) -> list[ObjectInfo]:
    """What the store holds of it: below its own folders, and the checkpoints that no other video has."""
    found: list[ObjectInfo] = []
    for folder in KINDS:
        # The archive has no folder for each video.
        place = f"{folder}/{video.site}" + ("" if folder == "audio_files" else f"/{video.video_id}")
        of_video = (each for each in library.store.objects(place) if video_of(each.key) == (video.site, video.video_id))
        found += of_video
    own = set(library.catalogue.run(references.checkpoints_of, video.id))
    for step in sorted({key.rpartition("/")[0] for key in own}):
        found += (each for each in library.store.objects(step) if each.key in own)
    return found


def _kind(key: str) -> str:
    return KINDS.get(key.partition("/")[0], CHECKPOINTS)


def _leftovers(library: Library, name: tuple[str, str], keys: Sequence[str], report: Report) -> None:
    """What this machine has of it beside the store."""
    partial = library.partial / "-".join(name)
    if partial.is_dir():
        report.add("taken_down", "partial downloads", partial.name, size_of(partial))
        if report.deleted:
            shutil.rmtree(partial, ignore_errors=True)
    site, video_id = name
    words = [f"{folder}/{site}/{video_id}{'.' if folder == 'audio_files' else '/'}" for folder in KINDS]
    for path in results_that_name(library, [*words, *keys]):
        report.add("taken_down", "results", path.name, path.stat().st_size)
        if report.deleted:
            path.unlink(missing_ok=True)
    # Which videos they hold is not looked up: whoever takes one down wants no row of it to be put back.
    for copy in sorted(library.copies.glob("schema-*")) if library.copies else []:
        report.add("taken_down", "copies of rows", copy.name, size_of(copy))
        if report.deleted:
            shutil.rmtree(copy, ignore_errors=True)
