"""`channelscribe process --directory DIR`: sentences, names and the rest of a folder of transcripts; needs no
database.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from channelscribe.errors import TextError
from channelscribe.settings.registry import SettingsRegistry, parse_assignment
from channelscribe.text.folder import Processed, process, transcripts_in
from flows.output import print_json, table, tell

EXIT_DONE, EXIT_FAILED, EXIT_SOME_FAILED = 0, 1, 3
COLUMNS = ("file", "language", "sentences", "tokens", "entities")


def run(options: argparse.Namespace) -> int:
    settings = SettingsRegistry(run=dict(map(parse_assignment, options.assignments))).resolve()
    failures: list[dict[str, Any]] = []

    def failed(file: Path, error: TextError) -> None:
        tell(f"{file}: {error} [{error.reason}]")
        said = {"reason": error.reason, "message": error.message, "remedy": error.remedy}
        failures.append({"file": str(file), **said})

    files = transcripts_in(Path(options.directory))
    rows = [row(done) for done in process(files, Path(options.out), settings.text, failed)]
    if options.json:
        print_json({"files": rows, "failures": failures})
    elif rows:
        table(COLUMNS, [[str(each[name]) for name in COLUMNS] for each in rows])
    for note in sorted({each["note"] for each in rows if each["note"]}):
        tell(note)
    if failures:
        return EXIT_SOME_FAILED if rows else EXIT_FAILED
    return EXIT_DONE


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
