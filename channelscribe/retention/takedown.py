"""Takes one video down: everything of it, everywhere, and leaves a tombstone, so that no sync brings it back.

The tombstone comes first: from then on no run can publish the video, and what a run still writes is swept without any
delay. Then the files go, then what a run wrote meanwhile, then what this machine has beside the store: results of
releases before, broken off downloads, lines of logs. What another machine may have is told. Killed half-way, the same
again does the rest. The Prefect server's memory is `tasks.prefect_history`'s.
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from channelscribe.catalogue import references, videos, watches
from channelscribe.catalogue.references import Remains
from channelscribe.catalogue.tables import VideoRow
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.notify.atom import write_feed
from channelscribe.retention.library import Library, Report, size_of
from channelscribe.retention.sweep import results_that_name
from channelscribe.store import ObjectInfo
from channelscribe.store.layout import CHECKPOINTS, KINDS, RESULTS, result_of, video_of

__all__ = ["TakedownReport", "find_one", "named", "take_down"]

PASSES = 3
"""A run that has just lost the video may still be writing a file of it."""
SHORTEST_ALONE = 6
"""Characters of an id that is looked for by itself; shorter ones only behind the site's name, or in an address."""


@dataclass(frozen=True, slots=True)
class TakedownReport:
    """`rows` counts what the catalogue held, `going` what the store and this machine did. `in_work`: a run had it.

    `left` says what may be left, and where: nothing of it is in this program's reach from here.
    """

    video: str
    rows: dict[str, int]
    in_work: bool
    again: bool
    going: Report
    left: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        facts = {"video": self.video, "rows": self.rows, "in_work": self.in_work, "again": self.again}
        return {**facts, "left": self.left, **self.going.to_dict()}


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
    left = _elsewhere(library, video)
    if delete:
        catalogue.run(references.mark_taken_down, video.id)
        for watch in catalogue.run(watches.forget_video, video.id):
            write_feed(catalogue, library.store, watch)
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
    _log_lines(library, named(*name, video.url, video.title), report)
    if delete:
        catalogue.run(references.forget_checkpoints, video_pk=video.id)
    return TakedownReport(f"{name[0]}:{name[1]}", before.rows, before.leased, before.taken_down, report, left)


def named(site: str, video_id: str, *words: str) -> re.Pattern[str]:
    """Finds the video's id as a word, and these words, such as its address and title, where they are long enough."""
    ending = r"(?![A-Za-z0-9_-])"
    parts = [rf"{re.escape(site)}[:/-]{re.escape(video_id)}{ending}"]
    if len(video_id) >= SHORTEST_ALONE:
        parts.append(rf"(?<![A-Za-z0-9_]){re.escape(video_id)}{ending}")
    parts += [re.escape(word) for word in words if len(word) >= SHORTEST_ALONE]
    return re.compile("|".join(parts))


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
        results = library.store.objects(step.replace(CHECKPOINTS, RESULTS, 1))
        found += (each for each in results if result_of(each.key) in own)
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
        report.add("taken_down", RESULTS, path.name, path.stat().st_size)
        if report.deleted:
            path.unlink(missing_ok=True)
    # Which videos they hold is not looked up: whoever takes one down wants no row of it to be put back.
    for copy in sorted(library.copies.glob("schema-*")) if library.copies else []:
        report.add("taken_down", "copies of rows", copy.name, size_of(copy))
        if report.deleted:
            shutil.rmtree(copy, ignore_errors=True)


def _log_lines(library: Library, wanted: re.Pattern[str], report: Report) -> None:
    """Lines of this machine's logs. Who writes one goes on at its end; what is written meanwhile may be lost."""
    for path in sorted(library.logs.glob("*.log*")) if library.logs else []:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
        kept = [line for line in lines if not wanted.search(line)]
        for line in lines if len(kept) < len(lines) else []:
            if wanted.search(line):
                report.add("taken_down", "lines of logs", path.name, len(line))
        if report.deleted and len(kept) < len(lines):
            with path.open("r+", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.truncate()
                file.writelines(kept)


def _elsewhere(library: Library, video: VideoRow) -> list[str]:
    """What others may have of it."""
    others = [host for host in library.catalogue.run(references.hosts_of, video.id) if host != platform.node()]
    left = [
        f"{host} has worked on it: its logs, and in scratch/partial of its data folder, unless a sweep was there, "
        f"{video.site}-{video.video_id}"
        for host in others
    ]
    if library.store.keeps_versions():
        left.append(f"{library.store} keeps versions of what is deleted, until its own rules let them go")
    return left
