"""Reads a folder of transcripts into a folder of readings: `<name>.json` for each, with the text that its characters
count in.

Needs the extra `text`. Of files with the same name (`talk.json`, `talk.srt`) the one that tells most is read. A broken
file is told and skipped. Files are read one after the other, so a folder of any size fits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from channelscribe.errors import StoreNotWritable, TextError, UsageError
from channelscribe.export.loading import ENDINGS, load_transcript, name_and_language
from channelscribe.files import atomic_write
from channelscribe.settings.options import TextOptions
from channelscribe.text.reading import read_all
from channelscribe.text.records import Reading
from channelscribe.transcript import Transcript

__all__ = ["Processed", "process", "transcripts_in"]


@dataclass(frozen=True)
class Processed:
    """A transcript file, what was read in it and where that is written."""

    source: Path
    written: Path
    reading: Reading


def transcripts_in(folder: Path) -> list[Path]:
    """The files to read, by name; not those in folders below. Raises UsageError where there is none."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", remedy="Give a folder of txt, srt, vtt or json files.")
    best: dict[str, Path] = {}
    found = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS)
    for path in sorted(found, key=lambda path: ENDINGS.index(path.suffix.lower())):
        best.setdefault(_name(path), path)
    if not best:
        raise UsageError(f"There is no transcript in {folder}.", remedy="Known: txt, srt, vtt, json.")
    return [best[name] for name in sorted(best)]


def process(
    files: Sequence[Path], out: Path, options: TextOptions, failed: Callable[[Path, TextError], None]
) -> Iterator[Processed]:
    """Reads the files in order and writes `out`/<name>.json for each; `failed` is told of the broken ones.

    Raises UsageError where that would overwrite a transcript, StoreNotWritable, and as `channelscribe.text.reading`.
    """
    if any(file.parent.resolve() == out.resolve() for file in files):
        raise UsageError("Readings would overwrite the transcripts.", remedy="Give --out another folder.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreNotWritable(f"{out} cannot be written: {error.strerror}.", remedy="Check --out.") from error
    loaded: list[tuple[Path, Transcript]] = []

    def transcripts() -> Iterator[Transcript]:
        for file in files:
            try:
                loaded.append((file, load_transcript(file, options.language)))
            except TextError as error:
                failed(file, error)
            else:
                yield loaded[-1][1]

    for reading in read_all(transcripts(), options):
        file, transcript = loaded.pop(0)
        target = out / f"{_name(file)}.json"
        with atomic_write(target) as written:
            written.write(json.dumps({"source": file.name, "text": transcript.text, **reading.to_dict()}).encode())
        yield Processed(file, target, reading)


def _name(path: Path) -> str:
    # Of one name in two languages (talk.de.srt, talk.en.srt) both are read.
    name, language = name_and_language(path)
    return f"{name}.{language}" if language else name
