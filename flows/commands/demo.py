"""`channelscribe demo`: the main job on the bundled sample channel, on the laptop stack, offline."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from channelscribe.catalogue import search, transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.tables import VideoRow
from channelscribe.errors import UnknownVideo
from channelscribe.evaluation.metrics import WordErrors, word_error_rate
from channelscribe.local_stack.places import Places, places_of
from channelscribe.sample import world
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings
from channelscribe.settings.prefect_profile import prefects_own
from channelscribe.transcript import Transcript
from flows.cli import parser
from flows.commands.sync import request_of, syncing
from flows.output import EXIT_DONE, EXIT_FAILED, EXIT_SOME_FAILED, duration, print_json, say, table, tell
from flows.session import run_settings

SAMPLE_SETTINGS = (
    "speech.model=sample",
    "text.models={en: sample}",
    "meaning.model=sample",
    "sources.allow_private_addresses=true",
)
LINES_SHOWN = 6
A_WHILE_IN = 10.0  # seconds: a hit at the very start would not show that times are known


def run(options: argparse.Namespace) -> int:
    options.assignments = [*SAMPLE_SETTINGS, *options.assignments]
    settings, given = run_settings(options)
    if (own := prefects_own(os.environ)) and own.api_url == settings.prefect.api_url:
        # Whatever somebody's Prefect is set to: the demo leaves nothing there.
        settings = settings.model_copy(update={"prefect": settings.prefect.model_copy(update={"api_url": None})})
    again = program()
    tell("channelscribe demo: the bundled sample channel, from its feed to a searched transcript, offline.")
    tell("Starting PostgreSQL, and one Prefect server and a Dask cluster if there is something to do …")
    with sample_channel(places_of(settings.data_dir)) as feed, syncing(settings, "demo", told) as syncs:
        catalogue = syncs.catalogue
        summary = syncs.sync(request_of(feed, parser().parse_args(["sync", feed]), given))
        episodes = list(transcribed(catalogue))
        errors = sum((word_errors(row, transcript) for row, transcript in episodes), WordErrors())
        if options.json:
            print_json({**summary.model_dump(mode="json"), "word_error_rate": errors.rate})
        else:
            show_summary(summary, episodes, errors)
            show_dialogue(episodes)
            show_hit(catalogue)
            show_next(settings, again)
    if summary.stopped:
        return EXIT_FAILED
    return EXIT_SOME_FAILED if summary.failed or summary.busy else EXIT_DONE


def told(name: str, seconds: float) -> None:
    tell(f"  {name} answers after {seconds:.1f} s")


@contextmanager
def sample_channel(places: Places) -> Iterator[str]:
    """The sample's feed on loopback, at the port of the last time if that is free: a source is known by its URL."""
    remembered = places.create().run / "sample-port"
    try:
        server = SampleServer(port=int(remembered.read_text()))
    except (OSError, ValueError):
        server = SampleServer()
    with server:
        remembered.write_text(server.url.rpartition(":")[2])
        yield f"{server.url}/feed.xml"


def transcribed(catalogue: Database) -> Iterator[tuple[VideoRow, Transcript]]:
    """The sample's episodes that have a transcript."""
    for episode in world.episodes():
        for found in catalogue.run(videos.find_videos, episode.id):
            try:
                row, _, transcript = catalogue.run(transcripts.transcript_of, found.id)
            except UnknownVideo:
                continue
            yield row, transcript


def word_errors(row: VideoRow, transcript: Transcript) -> WordErrors:
    """Against the script that the synthesizer spoke."""
    return word_error_rate(world.episode(row.guid or row.video_id).script.text, transcript.text)


def show_summary(summary: Any, episodes: list[tuple[VideoRow, Transcript]], errors: WordErrors) -> None:
    say()
    if not summary.published and not summary.failed:
        say("Nothing was new: nothing was downloaded and nothing was transcribed. What the library holds:")
    rows = []
    for row, transcript in episodes:
        spoken = word_errors(row, transcript)
        rate = "no speech" if not spoken.reference_words else f"{spoken.rate:.1%}"
        cells = [row.title, duration(transcript.duration), str(len(transcript.words))]
        rows.append([*cells, str(len(transcript.speakers)), rate])
    table(["episode", "length", "words", "speakers", "word errors"], rows)
    say()
    say(
        f"{summary.published} published now, {summary.skipped} already there, {summary.failed} failed. "
        f"Word error rate over all {errors.reference_words} words of the scripts: {errors.rate:.2%}."
    )
    for failure in summary.failures:
        say(f"  {failure.title}: {failure.message} [{failure.reason}]")


def show_dialogue(episodes: list[tuple[VideoRow, Transcript]]) -> None:
    """The first turns of an episode in which two people talk."""
    for row, transcript in episodes:
        if len(transcript.speakers) > 1:
            say(f"\nFrom “{row.title}”:")
            turns = groupby(transcript.segments, key=lambda segment: segment.speaker)
            for speaker, segments in islice(turns, LINES_SHOWN):
                spoken = list(segments)
                text = " ".join(segment.text.strip() for segment in spoken)
                say(f"  {duration(spoken[0].start)}  {speaker}: {text}")
            return


def show_hit(catalogue: Database) -> None:
    """One search: the name of a place or a person from the scripts."""
    entities = (entity for episode in world.episodes() for entity in episode.script.entities)
    names = [entity.text for entity in entities if entity.start > A_WHILE_IN]
    for name in names:
        hits = catalogue.read(search.search, Question(f'"{name}"'), limit=1)
        if hits:
            hit = hits[0]
            say(f'\nSearch for "{name}": “{hit.title}” at {duration(hit.start)}')
            say(f"  {hit.text}")
            say(f"  {hit.url}")
            return


def show_next(settings: Settings, program: str) -> None:
    places = places_of(settings.data_dir)
    say(f"\nFiles: {places.library}   Logs: {places.logs}")
    say("The sample's models know only the sample's voices. Real speech needs a real model (small on a CPU,")
    say("large-v3-turbo on a GPU), fetched from the Hugging Face hub on first use.")
    say("\nNext:")
    for arguments, what in (
        ('search "QUERY"', "find what was said"),
        ("show night-train --format srt", "a transcript as subtitles"),
        ("serve", "read and listen in a browser"),
        ("entities", "who and what was named"),
        ("sync URL", "a channel, playlist, video or feed of yours"),
        ("doctor", "check everything a run needs"),
    ):
        say(f"  {program} {arguments:<32}{what}")


def program() -> str:
    """What to type to run this program again from here."""
    started_as = Path(sys.argv[0])
    if shutil.which("channelscribe") or started_as.name != "channelscribe":
        return "channelscribe"
    return os.path.relpath(started_as)
