"""Commands that read the library: search, show, entities, export, status."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue import entities as names
from channelscribe.catalogue import listings, meaning, stats
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.words import did_you_mean
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.files import atomic_write
from channelscribe.settings.options import SubtitleOptions
from flows.output import EXIT_DONE, EXIT_SOME_FAILED, duration, print_json, say, table, tell
from flows.session import database, reading, run_settings

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Reader


def search(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with reading(settings, "search") as catalogue:
        question = Question(
            options.query,
            channel=options.channel,
            speaker=options.speaker,
            entity=options.entity,
            since=options.since,
            until=options.until,
            language=options.language,
            ignore_accents=settings.search.ignore_accents,
            by=options.by or "any",
        )
        hits, why = catalogue.read(meaning.find, question, settings.meaning, options.limit, options.after)
        meant = None if hits or options.after else catalogue.read(did_you_mean, options.query)
    if why:
        tell(f"channelscribe: searched by words only: {why}")
    more = hits[-1].place if len(hits) == options.limit else None
    if options.json:
        print_json({"hits": [hit.to_dict() for hit in hits], "next": more, "did_you_mean": meant})
        return 0
    for hit in hits:
        say(f"{hit.title}  {duration(hit.start)}  {hit.speaker or ''}".rstrip())
        say(f"  {hit.highlighted}")
        say(f"  {hit.url}")
    if more:
        tell(f"For the next page, repeat this with --after {more}")
    if meant:
        say(f"No hit. Did you mean: {meant}")
    elif not hits:
        say("No hit. `channelscribe status` shows what is in the library.")
    return 0


@dataclass(frozen=True, slots=True)
class _Shown:
    """One transcript in its formats, and what is known beside it: chapters, people, the publisher's transcripts."""

    site: str
    video: str
    version: int
    texts: dict[str, str]
    beside: dict[str, Any]


def show(options: argparse.Namespace) -> int:
    if not options.out and len(options.video) * len(options.format) > 1:
        raise UsageError("Several videos or formats need a folder.", remedy="Name it with --out DIR.")
    settings, _ = run_settings(options)
    with reading(settings, "show") as catalogue:
        if options.out:
            return _write_files(catalogue, options, settings.subtitles)
        one = _transcript(catalogue, options.video[0], options, settings.subtitles)
    ((name, text),) = one.texts.items()
    if options.json:
        print_json({"video": one.video, "version": one.version, "format": name, "text": text, **one.beside})
    else:
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    return 0


def _transcript(catalogue: Reader, video: str, options: argparse.Namespace, subtitles: SubtitleOptions) -> _Shown:
    from channelscribe.catalogue import transcripts
    from channelscribe.export import VideoMeta, render

    row, version, found = catalogue.read(transcripts.transcript_of, video, options.version)
    published = row.published.isoformat() if row.published else None
    chapters = VideoMeta.titled(catalogue.read(transcripts.chapters_of, row.chapters, version.id))
    meta = VideoMeta(row.title, row.url, row.video_id, catalogue.read(listings.channel_of, row.id), published, chapters)
    texts = {name: render(found, name, meta, subtitles=subtitles) for name in options.format}
    beside = {
        "chapters": [{"start": start, "title": title} for start, title in chapters],
        "people": list(row.about.get("people") or ()),
        "publisher_transcripts": row.publisher_transcripts,
    }
    return _Shown(row.site, row.video_id, version.version, texts, beside)


def _write_files(catalogue: Reader, options: argparse.Namespace, subtitles: SubtitleOptions) -> int:
    """SITE-ID.FORMAT for each video and format. A video that is not there never stops the others."""
    from channelscribe.sources.identifiers import safe_id

    folder = Path(options.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}.", remedy="Choose another folder.") from error
    files, missing = [], []
    for video in options.video:
        try:
            one = _transcript(catalogue, video, options, subtitles)
        except UnknownVideo as error:
            if len(options.video) == 1:
                raise
            tell(f"channelscribe: {error}")
            missing.append(video)
            continue
        for name, text in one.texts.items():
            path = folder / f"{safe_id(one.site)}-{safe_id(one.video)}.{name}"
            with atomic_write(path) as file:
                file.write(text.encode())
            files.append({"video": one.video, "version": one.version, "format": name, "file": str(path)})
    if options.json:
        print_json({"files": files, "missing": missing})
    for each in files if not options.json else ():
        say(str(each["file"]))
    return EXIT_SOME_FAILED if missing else EXIT_DONE


def entities(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with reading(settings, "entities") as catalogue:
        found = catalogue.read(names.entity_counts, channel=options.channel, label=options.label)
    rows = [each.to_dict() for each in found]
    if options.json:
        print_json({"entities": rows})
    else:
        table(["name", "label", "count", "videos"], [[str(value) for value in row.values()] for row in rows])
    return 0


def export(options: argparse.Namespace) -> int:
    if not options.out and (options.json or options.format != "jsonl"):
        raise UsageError(
            f"--{'json' if options.json else 'format parquet'} needs a file.", remedy="Name it with --out."
        )
    from channelscribe.export.corpus import export_channel

    settings, _ = run_settings(options)
    filters = {"language": options.language, "since": options.since, "until": options.until}
    with database(settings, "export") as catalogue:
        if options.out:
            with atomic_write(Path(options.out)) as file:
                made = export_channel(catalogue, options.channel, options.format, file, **filters)
        else:
            made = export_channel(catalogue, options.channel, options.format, sys.stdout.buffer, **filters)
    if options.json:
        print_json({"file": options.out, "format": options.format, "videos": made.videos, "segments": made.segments})
    else:
        tell(f"{made.segments} segments of {made.videos} videos{f' in {options.out}' if options.out else ''}")
    return 0


def sources(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with reading(settings, "sources") as catalogue:
        found = catalogue.read(listings.sources)
    if options.opml:
        from channelscribe.sources.subscriptions import write_opml

        feeds = [(each["title"], each["url"]) for each in found if each["kind"] == "feed"]
        with atomic_write(Path(options.opml)) as file:
            file.write(write_opml("channelscribe", feeds))
        tell(f"{len(feeds)} feeds in {options.opml}")
    if options.json:
        print_json({"sources": found, "opml": options.opml})
    elif not options.opml:
        rows = [[each["title"], each["kind"], str(each["videos"]), each["url"]] for each in found]
        table(["title", "kind", "videos", "address"], rows)
    return 0


def status(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    with reading(settings, "status") as catalogue:
        found = catalogue.read(stats.status)
    if options.json:
        print_json(asdict(found))
        return 0
    if found.sources:
        rows = [[source.title or source.url, str(source.videos), str(source.transcripts)] for source in found.sources]
        table(["source", "videos", "transcripts"], rows)
    table(["state", "videos"], [[state, str(count)] for state, count in found.states.items() if count])
    if found.reasons:
        rows = [[item.state, item.reason, str(item.videos), item.remedy or ""] for item in found.reasons]
        table(["state", "reason", "videos", "what to do"], rows)
    for block in found.blocks:
        say(f"{block.error()} [{block.reason}, outgoing address {block.egress}]")
    say(f"due now: {found.due}   in work: {len(found.running)}")
    for item in found.running:
        say(f"  {item.title}: {item.step or 'queued'}")
    return 0
