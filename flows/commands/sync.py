"""`channelscribe sync SOURCE…`: looks with the library alone, and starts Prefect and workers when something is due."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from channelscribe.catalogue import breakers, leases, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.listings import keep_address
from channelscribe.discovery import Listed, ask_again, list_source, only_sync_of, patiently, rehearse
from channelscribe.errors import ChannelscribeError, UsageError, from_now
from channelscribe.local_stack import LocalStack
from channelscribe.settings import Settings
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.sources.addresses import check_url, display_url
from channelscribe.sources.site_key import scope_of
from channelscribe.sources.subscriptions import expand
from channelscribe.speech.registry import resolve_model
from flows.forms import SyncRequest, SyncSummary, busy, nothing_due, rehearsed
from flows.output import EXIT_DONE, EXIT_FAILED, EXIT_SOME_FAILED, duration, print_json, say, shortened, tell
from flows.session import Told, call, looking, prefect_on, run_settings, variable_on


def run(options: argparse.Namespace) -> int:
    settings, given = run_settings(options, speech__model=options.model)
    resolve_model(settings.speech)  # an unknown model is told before anything starts
    if not all(source.strip() for source in options.source):
        raise UsageError("'' is no source.", remedy="Give an http address, a folder or a file.")
    options.source = expand(options.source)
    for source in options.source:
        sources = settings.sources
        if source.startswith("file:"):
            continue
        check_url(source, sources.allow_private_addresses, proxied=sources.proxy is not None or None)
    with syncing(settings, f"sync {' '.join(map(display_url, options.source))}") as syncs:
        for other in syncs.stack.shared_with:
            tell(f"Sharing what runs with process {other.get('pid')} ({other.get('command')}).")
        summaries, errors = [], []
        for source in [syncs.catalogue.run(keep_address, each) for each in options.source]:
            try:
                summaries.append(syncs.sync(request_of(source, options, given)))
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


def request_of(source: str, options: argparse.Namespace, given: Mapping[str, Any]) -> SyncRequest:
    """What the options of the command ask for."""
    return SyncRequest(
        source=source,
        limit=options.limit,
        since=options.since,
        newest=options.newest,
        title=options.title,
        min_minutes=options.min_minutes,
        max_minutes=options.max_minutes,
        season=options.season,
        dry_run=options.dry_run,
        full=options.full,
        again=options.again,
        refetch=options.refetch,
        wait=options.wait,
        settings=dict(given),
    )


@contextmanager
def syncing(settings: Settings, command: str, told: Told | None = None) -> Iterator[Syncs]:
    """Syncs on one stack, of which they take what they need."""
    with looking(settings, command, told) as (stack, catalogue), ExitStack() as engines:
        yield Syncs(settings, stack, catalogue, engines)


class Syncs:
    """Syncs of sources, one after the other.

    The listing is the flow's first step, done here, under the same hold on the source. Where it needs what only a
    Prefect server has (the variable of another one, a block) the flow itself looks, and asks for workers only for work.
    """

    def __init__(self, settings: Settings, stack: LocalStack, catalogue: Database, engines: ExitStack) -> None:
        self.stack, self.catalogue = stack, catalogue
        self._settings, self._engines = settings, engines
        self._started = False

    def sync(self, request: SyncRequest) -> SyncSummary:
        """Sync a source that goes by `request.source` (`keep_address`). Raises what its listing raises."""
        settings = self._known_settings(request)
        if settings is None:
            return self._run(request)
        catalogue, source, sources, filters = self.catalogue, request.source, settings.sources, settings.filters
        tell(f"Looking at {source} …")
        if request.dry_run:
            look = partial(
                rehearse, catalogue, source, sources, filters, request.limit, full=request.full, again=request.again
            )
            return rehearsed(request, patiently(look))
        name = f"{self.stack.command.partition(' ')[0]}, process {os.getpid()} on {platform.node()}"
        with only_sync_of(catalogue, source, name, wait=request.wait) as other:
            if other is not None:
                return busy(request, other)
            if "blocked" in request.again:
                catalogue.run(breakers.close, scope_of(source))
            listed = patiently(partial(list_source, catalogue, source, sources, filters, full=request.full))
            ask_again(catalogue, listed.source_pk, request.again, request.refetch)
            left = catalogue.run(leases.left_in_source, listed.source_pk, "")
            if left.free and not listed.blocked:
                return self._run(request, listed, min(left.free, request.limit or left.free))
            return nothing_due(request, listed, catalogue.run(videos.waiting, listed.source_pk), left)

    def _known_settings(self, request: SyncRequest) -> Settings | None:
        """The settings of the run, where they can be known without Prefect."""
        variable = variable_on(self.stack)
        if variable is None:
            return None
        settings = SettingsRegistry(dynamic=variable, run=request.own_settings()).resolve()
        return None if settings.sources.access or settings.database.block else settings

    def _run(self, request: SyncRequest, listed: Listed | None = None, expected: int | None = None) -> SyncSummary:
        """The flow, on what it needs; it lists the source where that was not done. `expected`: so many videos."""
        if not self._started:
            tell("Starting the Prefect server …")
            self._engines.enter_context(prefect_on(self.stack, *(["dask"] if listed else [])))
            self._started = True
            from tasks.site_guard import provide_budgets

            provide_budgets(self._settings.sources)
            tell(f"Ready. Watch it in the Prefect UI: {ui_url(self.stack.addresses.prefect_api_url)}")
        from flows.display import Display
        from flows.sync_channel import sync_channel, sync_of

        with Display(self.catalogue, expected):
            return call(sync_of(listed) if listed else sync_channel, request)


def ui_url(api_url: str | None) -> str:
    return (api_url or "").removesuffix("/api")


def print_summary(summary: Any) -> None:
    """The end of a sync, for people."""
    if summary.busy:
        say(f"{summary.source}: nothing done, because {summary.busy} is working on it. With --wait this command waits.")
        return
    changed = f", {summary.changed} changed" if summary.changed else ""
    say(f"{summary.source}: {summary.listed} listed, {summary.new} new{changed}")
    for note in summary.notes:
        say(f"  {note}")
    if summary.stopped:
        say(f"Stopped: {summary.stopped}")
    if summary.incomplete:
        say(f"  The listing stopped early; the next sync reads it again: {summary.incomplete}")
    if summary.due or summary.left_out:
        print_rehearsal(summary)
        return
    if not summary.published and not summary.failed and not summary.held and not summary.stopped:
        say("Nothing to do: nothing was downloaded and nothing was transcribed.")
    else:
        say(f"{summary.published} published ({duration(summary.seconds_of_audio)} of audio), {summary.failed} failed")
    if summary.held:
        until = datetime.fromisoformat(summary.held_until) if summary.held_until else None
        free = f"; if those were killed, their videos are free {from_now(until)}" if until else ""
        say(f"{summary.held} are with other runs{free}.")
    if summary.waiting:
        say(f"{summary.waiting} waiting: upcoming, live or just ended")
    for failure in summary.failures:
        retry_at = datetime.fromisoformat(failure.retry_at) if failure.retry_at else None
        again = f" It is tried again {from_now(retry_at)}." if retry_at else ""
        told = f"{failure.message} {failure.remedy}".strip()
        say(f"  {shortened(failure.title or failure.video)}: {told} [{failure.reason}]{again}")


def print_rehearsal(summary: Any) -> None:
    """What a dry run found: what would be done and why, and what would not."""
    say(f"Would work on {len(summary.due)}:" if summary.due else "Nothing to do.")
    for item in summary.due:
        say(f"  {item['video']}  {shortened(item['title'])}  {item['action']} ({item['why']})")
    for item in summary.left_out:
        why = f" [{item['reason']}] {item['message'] or ''}".rstrip() if item["reason"] else ""
        say(f"  left out: {item['videos']} {item['state']}{why}")
