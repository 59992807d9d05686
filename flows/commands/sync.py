"""`channelscribe sync SOURCE…`"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.listings import keep_address
from channelscribe.errors import ChannelscribeError
from channelscribe.sources.addresses import check_url, display_url
from channelscribe.sources.subscriptions import expand
from channelscribe.speech.registry import resolve_model
from flows.display import Display
from flows.output import EXIT_DONE, EXIT_FAILED, EXIT_SOME_FAILED, duration, print_json, say, tell
from flows.session import call, engine, run_settings


def run(options: argparse.Namespace) -> int:
    settings, given = run_settings(options, speech__model=options.model)
    resolve_model(settings.speech)  # an unknown model is told before anything starts
    options.source = expand(options.source)
    for source in options.source:
        sources = settings.sources
        check_url(source, sources.allow_private_addresses, proxied=sources.proxy is not None or None)
    tell("Starting the database, the Prefect server and the Dask workers …")
    with engine(settings, f"sync {' '.join(map(display_url, options.source))}") as (stack, catalogue):
        from tasks.site_guard import provide_budgets

        provide_budgets(settings.sources)
        for other in stack.shared_with:
            tell(f"Sharing what runs with process {other.get('pid')} ({other.get('command')}).")
        tell(f"Ready. Watch it in the Prefect UI: {ui_url(stack.addresses.prefect_api_url)}")
        summaries, errors = [], []
        for source in [catalogue.run(keep_address, each) for each in options.source]:
            try:
                summaries.append(sync_one(source, options, given, catalogue))
                if summaries[-1].stopped:
                    break  # what the machine lacks, the next source would meet, too
            except ChannelscribeError as error:
                if len(options.source) == 1:
                    raise
                # One bad source never stops the others.
                errors.append({"source": source, "reason": error.reason, "message": str(error)})
                tell(f"channelscribe: {error}")
    if options.json:
        done = [*(summary.model_dump(mode="json") for summary in summaries), *errors]
        print_json(done[0] if len(done) == 1 else {"sources": done})
    else:
        for summary in summaries:
            print_summary(summary)
    if errors and not summaries:
        return EXIT_FAILED
    if any(summary.stopped for summary in summaries):
        return EXIT_FAILED
    not_all = any(summary.failed or summary.incomplete or summary.held or summary.busy for summary in summaries)
    return EXIT_SOME_FAILED if errors or not_all else EXIT_DONE


def sync_one(source: str, options: Any, given: Mapping[str, Any], catalogue: Database) -> Any:
    """One source through the flow, its progress shown."""
    from flows.forms import SyncRequest
    from flows.sync_channel import sync_channel

    request = SyncRequest(
        source=source,
        limit=options.limit,
        since=options.since,
        dry_run=options.dry_run,
        full=options.full,
        again=options.again,
        refetch=options.refetch,
        wait=options.wait,
        settings=dict(given),
    )
    with Display(catalogue):
        return call(sync_channel, request)


def ui_url(api_url: str | None) -> str:
    return (api_url or "").removesuffix("/api")


def print_summary(summary: Any) -> None:
    """The end of a sync, for people."""
    if summary.busy:
        say(f"{summary.source}: nothing done, since {summary.busy} works on it. Wait for its end with --wait.")
        return
    changed = f", {summary.changed} changed" if summary.changed else ""
    say(f"{summary.source}: {summary.listed} listed, {summary.new} new{changed}")
    for note in summary.notes:
        say(f"  {note}")
    if summary.stopped:
        say(f"Stopped: {summary.stopped}")
    if summary.incomplete:
        say(f"  The listing broke off, the next sync reads it again: {summary.incomplete}")
    if summary.due or summary.left_out:
        print_rehearsal(summary)
        return
    if not summary.published and not summary.failed and not summary.held and not summary.stopped:
        say("Nothing to do: nothing was downloaded and nothing was transcribed.")
    else:
        say(f"{summary.published} published ({duration(summary.seconds_of_audio)} of audio), {summary.failed} failed")
    if summary.held:
        until = datetime.fromisoformat(summary.held_until).astimezone() if summary.held_until else None
        free = f"; those of a killed one are free from {until:%H:%M:%S} on" if until else ""
        say(f"{summary.held} are with other runs{free}.")
    if summary.waiting:
        say(f"{summary.waiting} waiting: upcoming, live or just ended")
    for failure in summary.failures:
        again = f" Tried again from {failure.retry_at}." if failure.retry_at else ""
        told = f"{failure.message} {failure.remedy}".strip()
        say(f"  {failure.title or failure.video}: {told} [{failure.reason}]{again}")


def print_rehearsal(summary: Any) -> None:
    """What a dry run found: what would be done and why, and what would not."""
    say(f"Would work on {len(summary.due)}:" if summary.due else "Nothing to do.")
    for item in summary.due:
        say(f"  {item['video']}  {item['title']}  {item['action']} ({item['why']})")
    for item in summary.left_out:
        why = f" [{item['reason']}] {item['message'] or ''}".rstrip() if item["reason"] else ""
        say(f"  left out: {item['videos']} {item['state']}{why}")
