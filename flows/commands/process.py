"""`channelscribe process --directory DIR`: sentences, names and the rest of a folder of transcripts; needs no
database.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from channelscribe.errors import TextError
from channelscribe.text.folder import Processed, process, transcripts_in
from flows.output import as_json, print_json, some_failed, table, tell
from flows.session import assigned, read_settings

COLUMNS = ("file", "language", "sentences", "tokens", "entities")


def run(options: argparse.Namespace) -> int:
    settings = read_settings(assigned(options))
    failures: list[dict[str, Any]] = []

    def failed(file: Path, error: TextError) -> None:
        tell(f"{file}: {error} [{error.reason}]")
        failures.append({"file": str(file), **as_json(error)})

    files = transcripts_in(Path(options.directory))
    rows = [row(done) for done in process(files, Path(options.out), settings.text, failed)]
    if options.json:
        print_json({"files": rows, "failures": failures})
    elif rows:
        table(COLUMNS, [[str(each[name]) for name in COLUMNS] for each in rows])
    for note in sorted({each["note"] for each in rows if each["note"]}):
        tell(note)
    return some_failed(rows, failures)


def row(done: Processed) -> dict[str, Any]:
    reading = done.reading
    counts = {
        name: len(getattr(reading, name)) for name in ("sentences", "tokens", "entities", "topics", "key_phrases")
    }
    return {
        "file": done.source.name,
        "written": str(done.written),
        "language": reading.language,
        **counts,
        "note": reading.models["note"],
    }
