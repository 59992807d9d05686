"""Commands on the versions of a transcript: versions, diff, rollback."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue import transcripts
from flows.output import duration, print_json, say, table
from flows.session import database, reading, run_settings

if TYPE_CHECKING:
    from channelscribe.evaluation.changes import Changes


def versions(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with reading(settings, "versions") as catalogue:
        video, current, _ = catalogue.read(transcripts.transcript_of, options.video)
        found = [
            transcripts.described(row, row.id == current.id) for row in catalogue.read(transcripts.versions, video.id)
        ]
    if options.json:
        print_json({"video": video.video_id, "title": video.title, "versions": found})
        return 0
    heads = ["version", "current", "made", "model", "language", "coverage"]
    table(heads, [_line(each) for each in found])
    return 0


def _line(each: dict[str, Any]) -> list[str]:
    coverage = "" if each["coverage"] is None else f"{each['coverage']:.0%}"
    current = "*" if each["current"] else ""
    return [str(each["version"]), current, each["made"][:16], each["model"] or "", each["language"], coverage]


def diff(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with reading(settings, "diff") as catalogue:
        old, new = catalogue.read(transcripts.compared, options.video, options.old, options.new)
        _, _, before = catalogue.read(transcripts.transcript_of, options.video, old, recognized=True)
        # Versions are compared as they were recognized; one alone with what people corrected in it.
        _, _, after = catalogue.read(transcripts.transcript_of, options.video, new, recognized=old != new)
    from channelscribe.evaluation.changes import changes

    found = changes(before, after)
    if options.json:
        print_json({"old": old, "new": new, "alike": round(found.alike, 4), **asdict(found)})
    else:
        _show(old, new, found)
    return 0


def _show(old: int, new: int, found: Changes) -> None:
    for change in found.changes:
        words = [f"-{change.old}" if change.old else "", f"+{change.new}" if change.new else ""]
        say(f"{duration(change.start):>8}  " + "  ".join(filter(None, words)))
    what = f"version {old} as recognized and corrected" if old == new else f"version {old} to {new}"
    say(f"{what}: {len(found.changes)} changes, {found.alike:.1%} of the words are the same")


def rollback(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "rollback", writes=True) as catalogue:
        video, _, _ = catalogue.run(transcripts.transcript_of, options.video, options.version)
        moved = catalogue.run(transcripts.make_current, video.id, options.version)
    if options.json:
        print_json({"video": video.video_id, "version": options.version, "moved": moved})
    else:
        say(f"{video.title}: version {options.version} is {'current now' if moved else 'current already'}.")
    return 0
