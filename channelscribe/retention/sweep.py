"""The sweep: gives lost work back, deletes what is older than it may be, and what nothing points to; and tells which
files of published videos the store has lost.

| what | whose it is | it goes when |
|---|---|---|
| archives, audio parts, originals, speech tracks | the audio rows of its video | no row points to it; by retention |
| transcripts, readings | the transcript rows of its video | no row points to it; with old versions |
| results | the video in the key | with its video |
| checkpoints, and their results | the videos noted for it | no video has it; by retention |
| what was being written | the process that wrote | that is gone |
| broken off downloads | the video in the folder's name | nobody will go on with it |

All of it only of videos that nobody works on and that are at the end of their way; of a video that was taken down,
everything, at once. What is named as ours are, of a video that this catalogue does not know, is another library's, or
of a time that a restored catalogue has forgotten: it stays, and is counted. Without `delete` nothing is changed, and
the report says what would go.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from channelscribe.catalogue import leases, references
from channelscribe.catalogue.references import CheckpointUse, Standing, VideoName
from channelscribe.retention.library import Library, Report, batches, size_of
from channelscribe.settings.options import RetentionOptions
from channelscribe.store import ObjectInfo
from channelscribe.store.layout import CHECKPOINTS, KINDS, RESULTS, is_ours, result_of, video_of

__all__ = ["Missing", "Rules", "SweepReport", "missing", "results_that_name", "sweep"]

VIDEO_OBJECTS = 1000
CHECKPOINTS_AT_ONCE = 500
VIDEOS_AT_ONCE = 200
LARGEST_RESULT = 4 << 20
KEY = re.compile(rf"\b(?:{'|'.join([*KINDS, CHECKPOINTS])})/[A-Za-z0-9_.+/-]+")

Going = list[tuple[ObjectInfo, str]]


@dataclass(frozen=True, slots=True)
class SweepReport:
    """`lost_leases` were, or would be, given back; `going` is what went, or would go.

    `unknown` objects are of videos that this catalogue does not know; `missing` counts by kind the files of published
    videos that are not in the store, and no retention took: `sweep --repair` makes them again.
    """

    lost_leases: int
    going: Report
    unknown: int = 0
    missing: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        facts = {"lost_leases": self.lost_leases, "unknown": self.unknown, "missing": self.missing}
        return {**facts, **self.going.to_dict()}


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

    def days(self, kind: str) -> float | None:
        """How long a kind of thing is kept; None: for ever. Current transcripts and readings always are."""
        days: float | None = getattr(self.options, f"{kind}_days", None)
        return days

    def has_expired(self, kind: str, modified: datetime) -> bool:
        days = self.days(kind)
        return days is not None and modified <= self.now - timedelta(days=days)

    def verdict(self, found: ObjectInfo, kind: str, standing: Standing) -> str | None:
        """Why an object goes; None: it stays."""
        if standing.taken_down:
            return "taken_down"
        if standing.held or not standing.settled or kind == RESULTS:
            return None
        if not standing.points_to(kind, found.key):
            return "orphan" if self.is_orphan(found) else None
        return "expired" if self.has_expired(kind, found.modified) else None


class Seen:
    """Which objects are there, by the hashes of their keys: 100 bytes an object."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def add(self, key: str) -> None:
        self._hashes.update((hash(key), hash(key.rpartition(".")[0])))

    def discard(self, key: str) -> None:
        self._hashes -= {hash(key), hash(key.rpartition(".")[0])}

    def __contains__(self, key: str) -> bool:
        """Also without the extension."""
        return hash(key) in self._hashes


def sweep(library: Library, options: RetentionOptions, *, delete: bool) -> SweepReport:
    """Sweep a library once. Killed half-way, the next one does the rest."""
    rules, report, seen = Rules(options, datetime.now(UTC)), Report(delete), Seen()
    lost = library.catalogue.run(leases.lost_leases, release=delete)
    _sweep_versions(library, rules, report)
    unknown = _sweep_videos(library, rules, report, seen)
    _sweep_checkpoints(library, rules, report, seen)
    _sweep_unfinished(library, rules, report)
    _sweep_partial(library, rules, report)
    _sweep_old_results(library, rules, report, seen)
    gone: Counter[str] = Counter()
    for each in _missing(library, rules, seen):
        gone.update({kind: len(keys) for kind, keys in each.keys.items()})
    return SweepReport(lost, report, unknown, dict(gone))


def _sweep_versions(library: Library, rules: Rules, report: Report) -> None:
    """Transcripts that are not current any more: their rows, then their files."""
    days = rules.options.old_versions_days
    if days is None:
        return
    for version in library.catalogue.run(references.old_versions, rules.now - timedelta(days=days)):
        if report.deleted:
            if not library.catalogue.run(references.delete_old_version, version):
                continue
            library.store.delete_all(version.keys)
        report.add("expired", "old versions", f"{version.video} version {version.version}")


# Of videos. Each decision is made again while the video's row is locked, so no run can take it up, or publish it,
# between the decision and the deletion.


def _sweep_videos(library: Library, rules: Rules, report: Report, seen: Seen) -> int:
    """Everything below the folders of videos; returns how many objects are of unknown ones."""
    unknown = 0
    for folder, kind in KINDS.items():
        for batch in batches(library.store.objects(folder), VIDEO_OBJECTS):
            of_videos: dict[VideoName, list[ObjectInfo]] = {}
            for found in batch:
                seen.add(found.key)
                if (name := video_of(found.key)) is not None:
                    of_videos.setdefault(name, []).append(found)
            standings = library.catalogue.run(references.standings, list(of_videos))
            for name, objects in of_videos.items():
                unknown += len(objects) if name not in standings else 0
                going = _going(objects, kind, standings.get(name), rules)
                if going and report.deleted:
                    going = _delete(library, name, kind, [found for found, _ in going], rules)
                for found, why in going:
                    seen.discard(found.key)
                    report.add(why, kind, found.key, found.bytes)
    return unknown


def _going(objects: list[ObjectInfo], kind: str, standing: Standing | None, rules: Rules) -> Going:
    if standing is None:
        return []
    verdicts = ((found, rules.verdict(found, kind, standing)) for found in objects)
    return [(found, why) for found, why in verdicts if why is not None]


def _delete(library: Library, name: VideoName, kind: str, objects: list[ObjectInfo], rules: Rules) -> Going:
    with library.catalogue.session() as session:
        going = _going(objects, kind, references.locked_standing(session, name), rules)
        library.store.delete_all([found.key for found, _ in going])
    return going


def _sweep_checkpoints(library: Library, rules: Rules, report: Report, seen: Seen) -> None:
    """Those that no video is made with, and those that are older than they may be; each with its result."""
    ours = (found for found in library.store.objects(CHECKPOINTS) if is_ours(found.key))
    for batch in batches(ours, CHECKPOINTS_AT_ONCE):
        for found in batch:
            seen.add(found.key)
        going = _unused(batch, library.catalogue.run(references.uses_of, [found.key for found in batch]), rules)
        if going and report.deleted:
            with library.catalogue.session() as session:
                uses = references.uses_of(session, [found.key for found, _ in going], lock=True)
                going = _unused([found for found, _ in going], uses, rules)
                gone = [found.key for found, _ in going]
                library.store.delete_all(gone)
                references.forget_checkpoints(session, gone)
        for found, why in going:
            seen.discard(found.key)
            report.add(why, CHECKPOINTS, found.key, found.bytes)
    for found in library.store.objects(RESULTS):
        checkpoint = result_of(found.key)
        if checkpoint is not None and checkpoint not in seen and rules.is_orphan(found):
            report.add("stale", RESULTS, found.key, found.bytes)
            if report.deleted:
                library.store.delete(found.key)


def _unused(objects: list[ObjectInfo], uses: dict[str, CheckpointUse], rules: Rules) -> Going:
    going = []
    for found in objects:
        use = uses.get(found.key)
        if use is None:
            if rules.is_orphan(found):
                going.append((found, "orphan"))
        elif not use.busy and rules.has_expired(CHECKPOINTS, found.modified):
            going.append((found, "expired"))
    return going


def _sweep_unfinished(library: Library, rules: Rules, report: Report) -> None:
    """What killed processes were sending."""
    for name in library.store.unfinished(rules.orphan_before):
        report.add("unfinished", "uploads", name)
    if report.deleted:
        library.store.discard_unfinished(rules.orphan_before)


# On this machine.


def _sweep_partial(library: Library, rules: Rules, report: Report) -> None:
    """Folders of downloads whose video is at the end of its way, or not known."""
    folders = {path.name: path for path in _children(library.partial) if path.is_dir()}
    names = library.catalogue.run(references.names_of, list(folders))
    standings = library.catalogue.run(references.standings, list(names.values()))
    for name, folder in folders.items():
        standing = standings.get(names[name]) if name in names else None
        taken_down = standing is not None and standing.taken_down
        if standing is not None and (standing.held or not standing.settled):
            continue
        if not taken_down and _changed(folder) > rules.orphan_before.timestamp():
            continue
        report.add("taken_down" if taken_down else "orphan", "partial downloads", name, size_of(folder))
        if report.deleted:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep_old_results(library: Library, rules: Rules, report: Report, seen: Seen) -> None:
    """Results of releases before that name an object of the store which is gone: they are of no use."""
    for path in _children(library.old_results):
        text = _read(path)
        if text is None or path.stat().st_mtime > rules.orphan_before.timestamp():
            continue
        gone = [key for key in KEY.findall(text) if key not in seen]
        # What is not there as long as nothing is deleted was seen to go, above.
        if gone and not (report.deleted and all(library.store.exists(key) for key in gone)):
            report.add("stale", RESULTS, path.name, len(text))
            if report.deleted:
                path.unlink(missing_ok=True)


def results_that_name(library: Library, words: Sequence[str]) -> list[Path]:
    """Results of releases before in which one of these beginnings of keys is found."""
    found = ((path, _read(path)) for path in _children(library.old_results))
    return [path for path, text in found if text is not None and any(word in text for word in words)]


def _children(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _changed(folder: Path) -> float:
    """When anything below was written last, seconds since 1970."""
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _read(path: Path) -> str | None:
    """A result's text; None for what cannot be one."""
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= LARGEST_RESULT:
            return path.read_text(encoding="utf-8", errors="replace")
    return None


# What the store has lost.


@dataclass(frozen=True, slots=True)
class Missing:
    """A published video, and what its rows point to that the store has not: by kind; originals without extension."""

    pk: int
    name: VideoName
    keys: dict[str, list[str]]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def missing(library: Library, options: RetentionOptions) -> Iterator[Missing]:
    """Videos that nobody works on and that miss something which no retention took; the store is listed once.

    Of results only is told that a video has none: nothing points to them.
    """
    seen, remembered = Seen(), set[VideoName]()
    for folder in (*KINDS, CHECKPOINTS):
        for found in library.store.objects(folder):
            seen.add(found.key)
            if folder == RESULTS and (name := video_of(found.key)) is not None:
                remembered.add(name)
    return _missing(library, Rules(options, datetime.now(UTC)), seen, remembered)


def _missing(library: Library, rules: Rules, seen: Seen, remembered: set[VideoName] | None = None) -> Iterator[Missing]:
    after = 0
    while names := library.catalogue.run(references.published, after, VIDEOS_AT_ONCE):
        after = max(names)
        for name, standing in library.catalogue.run(references.standings, list(names.values())).items():
            kept = {
                kind: [key for key in keys if key not in seen]
                for kind, keys in standing.pointers(name).items()
                if standing.made_at is None or not rules.has_expired(kind, standing.made_at)
            }
            if remembered is not None and name not in remembered:
                kept[RESULTS] = [f"{RESULTS}/{'/'.join(name)}"]
            if lost := {kind: sorted(keys) for kind, keys in kept.items() if keys}:
                yield Missing(standing.pk, name, lost)
