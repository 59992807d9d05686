"""`channelscribe diff VIDEO [OLD [NEW]]`"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from channelscribe.catalogue import transcripts
from channelscribe.catalogue.connection import Database
from channelscribe.errors import UsageError
from channelscribe.evaluation.changes import Changes, changes
from flows.output import duration, print_json, say
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "diff") as catalogue:
        old, new = chosen(catalogue, options)
        _, _, before = catalogue.run(transcripts.transcript_of, options.video, old)
        _, _, after = catalogue.run(transcripts.transcript_of, options.video, new)
    found = changes(before, after)
    if options.json:
        print_json({"old": old, "new": new, "alike": round(found.alike, 4), **asdict(found)})
    else:
        show(old, new, found)
    return 0


def chosen(catalogue: Database, options: argparse.Namespace) -> tuple[int, int]:
    """The two versions: by default the current one and the one before it."""
    video, current, _ = catalogue.run(transcripts.transcript_of, options.video)
    versions = [row.version for row in catalogue.run(transcripts.versions, video.id)]
    new = options.new or (current.version if options.old != current.version else max(versions))
    old = options.old or max((version for version in versions if version < new), default=None)
    if old is None:
        raise UsageError(
            f"Video {video.video_id} has one version of its transcript, nothing to compare it with.",
            remedy="`channelscribe retranscribe` makes another.",
        )
    return old, new


def show(old: int, new: int, found: Changes) -> None:
    for change in found.changes:
        words = [f"-{change.old}" if change.old else "", f"+{change.new}" if change.new else ""]
        say(f"{duration(change.start):>8}  " + "  ".join(filter(None, words)))
    say(f"version {old} to {new}: {len(found.changes)} changes, {found.alike:.1%} of the words are the same")
