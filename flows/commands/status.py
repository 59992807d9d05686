"""`channelscribe status`"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from channelscribe.catalogue import stats
from flows.output import print_json, say, table
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with database(settings, "status") as catalogue:
        status = catalogue.run(stats.status)
    if options.json:
        print_json(asdict(status))
        return 0
    if status.sources:
        rows = [[source.title or source.url, str(source.videos), str(source.transcripts)] for source in status.sources]
        table(["source", "videos", "transcripts"], rows)
    table(["state", "videos"], [[state, str(count)] for state, count in status.states.items() if count])
    if status.reasons:
        rows = [[item.state, item.reason, str(item.videos), item.remedy or ""] for item in status.reasons]
        table(["state", "reason", "videos", "what to do"], rows)
    for block in status.blocks:
        say(f"{block.error()} [{block.reason}, outgoing address {block.egress}]")
    say(f"due now: {status.due}   in work: {len(status.running)}")
    for item in status.running:
        say(f"  {item.title}: {item.step or 'queued'}")
    return 0
