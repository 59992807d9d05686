"""`channelscribe sync SOURCE…`"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from channelscribe.catalogue import Catalogue
from channelscribe.errors import ChannelscribeError
from channelscribe.sites.addresses import check_url
from channelscribe.speech.registry import resolve_model
from flows.display import Display
from flows.output import duration, print_json, say, tell
from flows.session import engine, run_settings

EXIT_DONE, EXIT_FAILED, EXIT_SOME_FAILED = 0, 1, 3


def run(options: argparse.Namespace) -> int:
    settings, given = run_settings(options, speech__model=options.model)
    resolve_model(settings.speech)  # an unknown model is told before anything starts
    for source in options.source:
        check_url(source, settings.sources.allow_private_addresses)
    tell("Starting the database, the Prefect server and the Dask workers …")
    with engine(settings, f"sync {' '.join(options.source)}") as (stack, catalogue):
        for other in stack.shared_with:
            tell(f"Sharing what runs with process {other.get('pid')} ({other.get('command')}).")
        tell(f"Ready. Watch it in the Prefect UI: {ui_url(stack.addresses.prefect_api_url)}")
        summaries, errors = [], []
        for source in options.source:
            try:
                summaries.append(sync_one(source, options, given, catalogue))
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
    return EXIT_SOME_FAILED if errors or any(summary.failed for summary in summaries) else EXIT_DONE


def sync_one(source: str, options: Any, given: Mapping[str, Any], catalogue: Catalogue) -> Any:
    """One source through the flow, its progress shown."""
    from flows.forms import SyncRequest
    from flows.sync_channel import sync_channel

    request = SyncRequest(
        source=source, limit=options.limit, since=options.since, dry_run=options.dry_run, settings=dict(given)
    )
    with Display(catalogue):
        return sync_channel(request)


def ui_url(api_url: str | None) -> str:
    return (api_url or "").removesuffix("/api")


def print_summary(summary: Any) -> None:
    """The end of a sync, for people."""
    say(f"{summary.source}: {summary.listed} listed, {summary.new} new")
    if summary.due:
        say(f"Would work on {len(summary.due)}:")
        for item in summary.due:
            say(f"  {item['video']}  {item['title']}")
        return
    if not summary.published and not summary.failed:
        say("Nothing to do: nothing was downloaded and nothing was transcribed.")
    else:
        say(f"{summary.published} published ({duration(summary.seconds_of_audio)} of audio), {summary.failed} failed")
    for failure in summary.failures:
        again = f" Tried again from {failure.retry_at}." if failure.retry_at else ""
        say(f"  {failure.title or failure.video}: {failure.message} [{failure.reason}]{again}")
