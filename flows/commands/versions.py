"""`channelscribe versions VIDEO`"""

from __future__ import annotations

import argparse
from typing import Any

from channelscribe.catalogue import transcripts
from channelscribe.catalogue.tables import TranscriptRow
from flows.output import print_json, table
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "versions") as catalogue:
        video, current, _ = catalogue.run(transcripts.transcript_of, options.video)
        found = [described(row, row.id == current.id) for row in catalogue.run(transcripts.versions, video.id)]
    if options.json:
        print_json({"video": video.video_id, "title": video.title, "versions": found})
        return 0
    heads = ["version", "current", "made", "model", "language", "coverage"]
    table(heads, [line(each) for each in found])
    return 0


def line(each: dict[str, Any]) -> list[str]:
    coverage = "" if each["coverage"] is None else f"{each['coverage']:.0%}"
    current = "*" if each["current"] else ""
    return [str(each["version"]), current, each["made"][:16], each["model"] or "", each["language"], coverage]


def described(row: TranscriptRow, current: bool) -> dict[str, Any]:
    recognizer = row.models.get("recognizer") or {}
    return {
        "version": row.version,
        "current": current,
        "transcript": row.transcript_id,
        "made": row.created_at.isoformat(),
        "model": recognizer.get("name"),
        "language": row.language,
        "coverage": row.quality.get("coverage"),
        "no_speech": row.no_speech,
    }
