"""`channelscribe audio FILE…`: the archive, the speech track and parts of local files; needs no database.

Beside the files of each source lies `<name>.audio.json`: what they were made from, their timelines, their sha256.
The same source and options find it and do nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from channelscribe.audio.manifest import is_made, manifest_of, write_manifest
from channelscribe.audio.prepare import FractionCallback, prepare, prepare_key
from channelscribe.audio.probe import probe
from channelscribe.errors import ChannelscribeError, UsageError, stops_run
from channelscribe.files import content_key, sha256_file
from channelscribe.settings import AudioOptions
from flows.output import EXIT_FAILED, as_json, duration, print_json, printable, say, some_failed, tell
from flows.session import assigned, read_settings

OWN_TAGS = ("title", "artist", "album", "date", "comment")


def run(options: argparse.Namespace) -> int:
    given = assigned(options)
    if options.steps is not None:
        given["audio.steps"] = options.steps
    audio = read_settings(given).audio
    cover = Path(options.cover) if options.cover else None
    if cover is not None and not cover.is_file():
        raise UsageError(f"The cover {cover} is not a file.", remedy="Give a JPEG, PNG or WebP.")
    files: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    stopped = False
    for source, name in named(options.file):
        try:
            with shown(source.name) as progress:
                files.append(made_of(source, Path(options.out), name, audio, cover, progress))
        except ChannelscribeError as error:
            tell(f"{source}: {error} [{error.reason}]")
            failures.append({"file": str(source), **as_json(error)})
            if stops_run(error) and not isinstance(error, UsageError):  # the next files would meet it, too
                stopped = True
                break
    if options.json:
        print_json({"files": files, "failures": failures})
    else:
        show(files)
    return EXIT_FAILED if stopped else some_failed(files, failures)


def named(files: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Each file once, with the name of what is made of it: its own, numbered where another has it already."""
    seen: set[Path] = set()
    taken: set[str] = set()
    for source in map(Path, files):
        if source.absolute() in seen:
            continue
        seen.add(source.absolute())
        name, number = source.stem, 1
        while name in taken:
            number += 1
            name = f"{source.stem}-{number}"
        taken.add(name)
        yield source, name


def made_of(
    source: Path, folder: Path, name: str, audio: AudioOptions, cover: Path | None, progress: FractionCallback | None
) -> dict[str, Any]:
    """One file's manifest, with its name in front; `made` is False where it was there already."""
    tags = tags_of(source)
    made_from = content_key(sha256_file(source), prepare_key(audio), tags, sha256_file(cover) if cover else None)
    path = folder / f"{name}.audio.json"
    known = is_made(path, made_from)
    if known is not None:
        return {"file": str(source), "made": False, **known}
    made = prepare(source, folder, audio, tags, progress=progress, cover=cover, name=name)
    manifest = manifest_of(made, made_from)
    write_manifest(path, manifest)
    return {"file": str(source), "made": True, **manifest}


def tags_of(source: Path) -> dict[str, str]:
    """The file's own title, artist and so on; without a title, its name."""
    own = probe(source).tags
    return {"title": source.stem, **{name: own[name] for name in OWN_TAGS if own.get(name)}}


@contextmanager
def shown(name: str) -> Iterator[FractionCallback | None]:
    """A bar on the terminal while one file is worked on; nothing where stderr is a file."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task(printable(name), total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)


def show(files: list[dict[str, Any]]) -> None:
    for file in files:
        done = "" if file["made"] else "  (was there already)"
        say(f"{file['file']}  {duration(file['seconds'])}{done}")
        for each in [file["archive"], file["speech"], *file["parts"]]:
            start, end = each["timeline"]["kept"][0][0], each["timeline"]["kept"][-1][1]
            say(f"  {each['path']}  {duration(start)} to {duration(end)}  {each['title'] or ''}".rstrip())
