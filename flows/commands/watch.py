"""`channelscribe watch add|list|test|rm`: be told when it is said."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from channelscribe.catalogue import search, watches
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.watches import Watch
from channelscribe.errors import ChannelscribeError, UsageError, did_you_mean
from channelscribe.notify import targets
from channelscribe.notify.atom import remove_feed, write_feed
from channelscribe.retention import Library
from channelscribe.settings import Settings
from flows.output import duration, print_json, say, table, tell
from flows.session import database, run_settings

A_MONTH = timedelta(days=30)
MOST_FOUND = 200


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    changes = options.action in ("add", "rm")
    with database(settings, f"watch {options.action}", writes=changes) as catalogue:
        code: int = ACTIONS[options.action](options, settings, catalogue)
    return code


def add(options: argparse.Namespace, settings: Settings, catalogue: Database) -> int:
    for target in options.notify:
        targets.check(target, settings.notify)
    wanted = Watch(options.name or "", options.query, options.source, options.speaker, tuple(options.notify))
    made = catalogue.run(watches.add, wanted)
    store = Library.of(settings, catalogue).store
    write_feed(catalogue, store, made.name)
    feed = store.url(f"watches/{made.name}.atom")
    if options.json:
        print_json({**shown(made, secret=True), "feed": feed})
        return 0
    say(f"watch {made.name}: {made.query}")
    say(f"  feed: {feed}")
    if any(map(targets.is_webhook, made.notify)):
        say(f"  webhooks are signed with {made.secret}")
    say(f"What it would have found: channelscribe watch test {made.name}")
    return 0


def listed(options: argparse.Namespace, settings: Settings, catalogue: Database) -> int:
    known = catalogue.read(watches.watches)
    if options.json:
        print_json({"watches": [shown(each, secret=options.secrets) for each in known]})
        return 0
    if not known:
        say('None. `channelscribe watch add "climate AND (Ada OR Bo)"` makes one.')
        return 0
    rows = [
        [each.name, each.query, _where(each), ", ".join(each.notify), f"{each.hits}", _state(each)]
        + ([each.secret] if options.secrets else [])
        for each in known
    ]
    table(["watch", "query", "only", "tells", "hits", "state", *(["secret"] if options.secrets else [])], rows)
    return 0


def _where(watch: Watch) -> str:
    return ", ".join(filter(None, (watch.source, watch.speaker)))


def _state(watch: Watch) -> str:
    parts = ["in git" if watch.from_git else ""]
    parts.append(f"{watch.waiting} waiting" if watch.waiting else "")
    parts.append(f"{watch.given_up} given up" if watch.given_up else "")
    parts.append(watch.error or "")
    return "; ".join(filter(None, parts))


def shown(watch: Watch, *, secret: bool) -> dict[str, Any]:
    facts = asdict(watch)
    return facts if secret else {name: value for name, value in facts.items() if name != "secret"}


def test(options: argparse.Namespace, settings: Settings, catalogue: Database) -> int:
    """What it would have found in what was published in the last month."""
    known = {each.name: each for each in catalogue.read(watches.watches)}
    wanted = known.get(options.watch) or Watch("", options.watch, options.source, options.speaker)
    since = (datetime.now(UTC) - A_MONTH).date()
    question = Question(wanted.query, channel=wanted.source, speaker=wanted.speaker, since=since)
    hits = catalogue.read(search.search, question, limit=MOST_FOUND)
    if options.json:
        fields = ("video", "title", "published", "start", "end", "speaker", "text", "url")
        print_json(
            {"query": wanted.query, "since": since, "hits": [{f: getattr(hit, f) for f in fields} for hit in hits]}
        )
        return 0
    for hit in hits:
        say(f"{hit.published}  {hit.title}  {duration(hit.start)}  {hit.speaker or ''}".rstrip())
        say(f"  {hit.highlighted}")
        say(f"  {hit.url}")
    videos = len({(hit.site, hit.video) for hit in hits})
    more = " and more" if len(hits) == MOST_FOUND else ""
    say(f"{len(hits)} passages in {videos} videos{more} published since {since}.")
    return 0


def rm(options: argparse.Namespace, settings: Settings, catalogue: Database) -> int:
    if not catalogue.run(watches.remove, options.watch):
        known = [each.name for each in catalogue.read(watches.watches)]
        raise UsageError(
            f"There is no watch {options.watch!r}.{did_you_mean(options.watch, known)}",
            remedy="`channelscribe watch list` lists all.",
        )
    try:
        remove_feed(Library.of(settings, catalogue).store, options.watch)
    except ChannelscribeError as error:
        tell(f"Its feed may be left: {error}")
    if options.json:
        print_json({"removed": options.watch})
    else:
        say(f"watch {options.watch} is gone.")
    return 0


ACTIONS = {"add": add, "list": listed, "test": test, "rm": rm}
