"""The sweep: gives lost work back, deletes what is older than it may be, and what nothing points to.

| what | whose it is | it goes when |
|---|---|---|
| archives, audio parts, originals, speech tracks | the audio rows of its video | no row points to it; by retention |
| transcripts, readings | the transcript rows of its video | no row points to it; with old versions |
| checkpoints | the videos noted for it | no video has it; by retention |
| what was being written | the process that wrote | that is gone |
| broken off downloads | the video in the folder's name | nobody will go on with it |
| results | the objects that they name | one of these is gone |

All of it only of videos that nobody works on and that are at the end of their way; of a video that was taken down,
everything, at once. Without `delete` nothing is changed, and the report says what would go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from channelscribe.catalogue import leases, references
from channelscribe.retention.checkpoints import sweep_checkpoints
from channelscribe.retention.leftovers import sweep_partial, sweep_results
from channelscribe.retention.library import Library
from channelscribe.retention.report import Report
from channelscribe.retention.videos import Rules, sweep_videos
from channelscribe.settings.options import RetentionOptions

__all__ = ["SweepReport", "sweep"]


@dataclass(frozen=True, slots=True)
class SweepReport:
    """`lost_leases` were, or would be, given back; `going` is what went, or would go."""

    lost_leases: int
    going: Report

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"lost_leases": self.lost_leases, **self.going.to_dict()}


def sweep(library: Library, options: RetentionOptions, *, delete: bool) -> SweepReport:
    """Sweep a library once. Killed half-way, the next one does the rest."""
    rules, report, seen = Rules(options, datetime.now(UTC)), Report(delete), set[int]()
    lost = library.catalogue.run(leases.lost_leases, release=delete)
    sweep_versions(library, rules, report)
    sweep_videos(library, rules, report, seen)
    sweep_checkpoints(library, rules, report, seen)
    sweep_unfinished(library, rules, report)
    sweep_partial(library, rules, report)
    sweep_results(library, rules, report, seen)
    return SweepReport(lost, report)


def sweep_versions(library: Library, rules: Rules, report: Report) -> None:
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


def sweep_unfinished(library: Library, rules: Rules, report: Report) -> None:
    """What killed processes were sending."""
    for name in library.store.unfinished(rules.orphan_before):
        report.add("unfinished", "uploads", name)
    if report.deleted:
        library.store.discard_unfinished(rules.orphan_before)
