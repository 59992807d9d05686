"""Commands of search by meaning: embed (put what is published into the index), similar (passages like this one)."""

from __future__ import annotations

import argparse
from typing import Any

from channelscribe.catalogue import meaning
from channelscribe.catalogue.videos import find_videos
from channelscribe.errors import UnknownVideo, UsageError
from flows.output import EXIT_DONE, EXIT_FAILED, duration, print_json, say, tell
from flows.session import call, database, engine, run_settings


def embed(options: argparse.Namespace) -> int:
    settings, given = run_settings(options)
    tell("Starting the database, the Prefect server and the Dask workers …")
    with engine(settings, "embed"):
        from flows.embed_library import embed_library
        from flows.forms import EmbedRequest

        request = EmbedRequest(model=options.model, dry_run=True, settings=dict(given))
        summary = call(embed_library, request)
        tell(estimate(summary))
        if not options.dry_run:
            summary = call(embed_library, request.model_copy(update={"dry_run": False}))
    if options.json:
        print_json({**summary.model_dump(mode="json"), "dry_run": options.dry_run})
    elif not options.dry_run:
        say(summary.headline)
    return EXIT_DONE if summary.model else EXIT_FAILED


def estimate(summary: Any) -> str:
    if summary.model is None:
        return "The database has no vectors: `channelscribe doctor` tells how it gets them."
    if not summary.found:
        return f"All is in the index of {summary.model}."
    hours = summary.hours_of_work
    work = "" if hours is None else f", about {duration(hours * 3600)} of work"
    return f"{summary.found} transcripts, {summary.hours_of_audio:.1f} h of audio, for {summary.model}{work}."


def similar(options: argparse.Namespace) -> int:
    from flows.commands.corrections import seconds_of

    settings, _ = run_settings(options)
    seconds = seconds_of(options.time)
    with database(settings, "similar") as catalogue:
        index = catalogue.read(meaning.current_index)
        if index is None:
            raise UsageError("Nothing is put in yet for search by meaning.", remedy=meaning.HOW_TO_PUT_IN)
        found = catalogue.run(find_videos, options.video)
        if not found:
            raise UnknownVideo(
                f"no video {options.video} in the catalogue.", remedy="`channelscribe sync` brings it in."
            )
        here, hits = catalogue.read(
            meaning.like, index, found[0].id, seconds, limit=options.limit, elsewhere=options.elsewhere
        )
    if here is None:
        raise UnknownVideo(f"video {options.video} is not in the index yet.", remedy=meaning.HOW_TO_PUT_IN)
    if options.json:
        print_json(
            {"passage": here.to_dict(), "hits": [{**hit.to_dict(), "alike": round(hit.rank, 4)} for hit in hits]}
        )
        return EXIT_DONE
    say(f"Like {here.title}  {duration(here.start)}")
    say(f"  {here.text}")
    for hit in hits:
        say()
        say(f"{hit.title}  {duration(hit.start)}  {hit.rank:.2f}")
        say(f"  {hit.text}")
        say(f"  {hit.url}")
    return EXIT_DONE
