"""`channelscribe transcribe FILE…`: transcripts of local files; needs no database, no Prefect, no Dask.

Beside the files of each source lies `<name>.transcribe.json`: what they were made from, and their sha256. The same
source and options find it and do nothing; a file that this command did not write is never overwritten.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from channelscribe import __version__
from channelscribe.audio.probe import probe
from channelscribe.errors import ChannelscribeError, UsageError, stops_run
from channelscribe.export import Layout, known_formats
from channelscribe.files import content_key, sha256_file
from channelscribe.settings.options import Settings
from channelscribe.speech.files import Told, Transcribed, transcribe_files
from channelscribe.speech.loading import load_counts
from channelscribe.speech.outputs import already_made, refuse_foreign, write_outputs
from channelscribe.speech.registry import resolve_model
from flows.commands.audio import named
from flows.output import as_json, duration, print_json, printable, say, some_failed, tell
from flows.session import assigned, read_settings

DOING = {
    "prepare": "reading the audio",
    "recognize": "transcribing",
    "align": "aligning words",
    "diarize": "telling speakers apart",
}


def run(options: argparse.Namespace) -> int:
    settings = read_settings(given_settings(options))
    speech = settings.speech
    formats = known_formats(options.formats)
    layout = chosen_layout(options)
    resolve_model(speech)  # a name that nobody knows is told before anything is read
    started = time.monotonic()
    job = Job(Path(options.out), formats, layout, settings)
    job.work(options.file)
    if options.json:
        seconds = round(time.monotonic() - started, 3)
        print_json({"files": job.done, "failures": job.failures, "seconds": seconds, "model_loads": load_counts()})
    else:
        show(job.done)
    return some_failed(job.done, job.failures)


def chosen_layout(options: argparse.Namespace) -> Layout:
    """whisperX's cues where any of its options is given, or --raw; else those for readers."""
    as_whisperx = options.raw or options.highlight_words or options.max_line_width or options.max_line_count
    return Layout(options.max_line_width, options.max_line_count, options.highlight_words, readable=not as_whisperx)


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    given: dict[str, Any] = assigned(options)
    least, most = speakers(options.speakers)
    own = {"model": options.model, "language": options.language, "min_speakers": least, "max_speakers": most}
    own |= {name: getattr(options, name) for name in ("task", "hotwords", "initial_prompt")}
    own["suppress_numerals"] = options.suppress_numerals or None
    return given | {f"speech.{name}": value for name, value in own.items() if value is not None}


def speakers(text: str | None) -> tuple[int | None, int | None]:
    """ "3" is three, "2-4" two to four."""
    if text is None:
        return None, None
    found = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", text)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= least <= most <= 50:
        raise UsageError(f"{text!r} is no number of speakers.", remedy="Give 2, or 2-4; at most 50.")
    return least, most


class Job:
    """The files of one command. `done` and `failures` are what `--json` prints."""

    def __init__(self, folder: Path, formats: Sequence[str], layout: Layout, settings: Settings) -> None:
        self.folder, self.formats, self.layout = folder, formats, layout
        self.speech, self.subtitles = settings.speech, settings.subtitles
        self.done: list[dict[str, Any]] = []
        self.failures: list[dict[str, Any]] = []

    def work(self, files: Sequence[str]) -> None:
        due = list(self.due(files))
        if not due:
            return
        sources = [source for source, _, _ in due]
        with (
            tempfile.TemporaryDirectory(prefix="channelscribe-") as scratch,
            shown(sources) as told,
            closing(transcribe_files(sources, Path(scratch), self.speech, told)) as transcribed,
        ):
            for each in transcribed:
                source, name, made_from = due[each.number]
                try:
                    self.done.append(self.written(each, name, made_from))
                    told(each.number, "done", self.done[-1]["real_time_factor"])
                except ChannelscribeError as error:
                    told(each.number, "failed", 0.0)
                    self.failed(source, error)
                    if stops_run(error):  # the machine's: it would meet the others, too
                        self.not_tried(due)
                        return

    def not_tried(self, due: Sequence[tuple[Path, str, str]]) -> None:
        ended = {each["file"] for each in (*self.done, *self.failures)}
        if left := [source for source, _, _ in due if plain(source) not in ended]:
            tell(f"{len(left)} more were not started; the next run does them.")

    def due(self, files: Sequence[str]) -> Iterator[tuple[Path, str, str]]:
        """The files that are to be transcribed, each with the name of its outputs and what they are made from."""
        for source, name in named(files):
            try:
                seconds = probe(source).duration
                model = resolve_model(self.speech, seconds).fingerprint(self.speech)
                layout = asdict(self.layout) | self.subtitles.model_dump()
                made_from = content_key(__version__, sha256_file(source), model, self.formats, layout)
                known = already_made(self.folder, name, made_from)
                if known is None:
                    refuse_foreign(self.folder, name, self.formats)
                    yield source, name, made_from
                else:
                    self.done.append({**known, "file": plain(source), "made": False})
            except ChannelscribeError as error:
                self.failed(source, error)
            except OSError as error:
                self.failed(source, UsageError(f"It cannot be read: {error.strerror}.", remedy="Check the path."))

    def written(self, each: Transcribed, name: str, made_from: str) -> dict[str, Any]:
        if each.error or each.transcript is None:
            raise each.error or UsageError("Nothing came of it.")
        about = self.about(each, name)
        write_outputs(each.transcript, self.folder, name, self.formats, self.layout, made_from, about, self.subtitles)
        return {"file": plain(each.source), "made": True, **about}

    def about(self, each: Transcribed, name: str) -> dict[str, Any]:
        transcript = each.transcript
        assert transcript is not None
        took = sum(each.step_seconds.values())
        flags = Counter(flag for segment in transcript.segments for flag in segment.flags)
        return {
            "outputs": {form: plain((self.folder / f"{name}.{form}").absolute()) for form in self.formats},
            "language": transcript.language,
            "seconds": round(each.seconds, 3),
            "step_seconds": {step: round(seconds, 3) for step, seconds in each.step_seconds.items()},
            "real_time_factor": round(each.seconds / took, 2) if took else None,
            "words": len(transcript.words),
            "speakers": transcript.speakers,
            "diarizer": (transcript.models.get("diarizer") or {}).get("model"),
            "no_speech": transcript.no_speech,
            "flags": dict(flags),
            "note": transcript.quality.get("note"),
        }

    def failed(self, source: Path, error: ChannelscribeError) -> None:
        tell(f"{source}: {error} [{error.reason}]")
        self.failures.append({"file": plain(source), **as_json(error)})


def plain(path: Path) -> str:
    """A path as text, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "replace")


@contextmanager
def shown(sources: Sequence[Path]) -> Iterator[Told]:
    """Each file's steps: bars on a terminal, elsewhere a line when one begins."""
    names = [" ".join(printable(source.name).split()) for source in sources]
    started = time.monotonic()
    if not sys.stderr.isatty():
        begun: set[tuple[int, str]] = set()

        def line(number: int, step: str, value: float) -> None:
            if step != "failed" and (number, step) not in begun:
                begun.add((number, step))
                what = f"done, {value} times as fast as it is spoken" if step == "done" else DOING[step]
                tell(f"[{duration(time.monotonic() - started):>5}] {names[number]}: {what}")

        yield line
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bars:
        tasks: dict[int, TaskID] = {}

        def bar(number: int, step: str, value: float) -> None:
            if step not in DOING:
                if number in tasks:
                    bars.remove_task(tasks.pop(number))
                return
            if number not in tasks:
                tasks[number] = bars.add_task("", total=1.0)
            bars.update(tasks[number], description=f"{names[number]}: {DOING[step]}", completed=value)

        yield bar


def show(files: Sequence[dict[str, Any]]) -> None:
    for file in files:
        done = "" if file["made"] else "  (was there already)"
        heard = "nobody speaks" if file["no_speech"] else f"{file['language']}, {file['words']} words"
        if file.get("diarizer") and not file["no_speech"]:
            heard += f", speakers: {len(file['speakers'])} (diarizer {file['diarizer']})"
        doubts = f", doubtful: {', '.join(file['flags'])}" if file["flags"] else ""
        say(f"{file['file']}  {duration(file['seconds'])}  {heard}{doubts}{done}")
        for path in file["outputs"].values():
            say(f"  {path}")
