"""What is left on this machine: folders of downloads that nobody goes on with, and results that name what is gone.

A result is what the engine remembers of a step. One that names a deleted object would make a later run believe that
the object is there; without it the run makes it anew.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from channelscribe.catalogue import references
from channelscribe.retention.kinds import CHECKPOINTS, KINDS
from channelscribe.retention.library import Library
from channelscribe.retention.report import Report
from channelscribe.retention.videos import Rules

__all__ = ["results_that_name", "size_of", "sweep_partial", "sweep_results"]

LARGEST_RESULT = 4 << 20
KEY = re.compile(rf"\b(?:{'|'.join([*KINDS, CHECKPOINTS])})/[A-Za-z0-9_.+/-]+")


def sweep_partial(library: Library, rules: Rules, report: Report) -> None:
    """Folders of downloads whose video is at the end of its way, or not known."""
    folders = {path.name: path for path in _children(library.partial) if path.is_dir()}
    names = library.catalogue.run(references.names_of, list(folders))
    standings = library.catalogue.run(references.standings, list(names.values()))
    for name, folder in folders.items():
        standing = standings.get(names[name]) if name in names else None
        taken_down = standing is not None and standing.taken_down
        if standing is not None and (standing.held or not standing.settled):
            continue
        if not taken_down and _changed(folder) > rules.orphan_before.timestamp():
            continue
        report.add("taken_down" if taken_down else "orphan", "partial downloads", name, size_of(folder))
        if report.deleted:
            shutil.rmtree(folder, ignore_errors=True)


def sweep_results(library: Library, rules: Rules, report: Report, seen: set[int]) -> None:
    """Results that name an object of the store which is gone; `seen` are the hashes of all keys that are there."""
    for path in _children(library.results):
        text = _read(path)
        if text is None or path.stat().st_mtime > rules.orphan_before.timestamp():
            continue
        missing = [key for key in KEY.findall(text) if hash(key) not in seen]
        # What is not there as long as nothing is deleted was seen to go, above.
        if missing and not (report.deleted and all(library.store.exists(key) for key in missing)):
            report.add("stale", "results", path.name, len(text))
            if report.deleted:
                path.unlink(missing_ok=True)


def results_that_name(library: Library, words: Sequence[str]) -> list[Path]:
    """Results in which one of these beginnings of keys is found."""
    found = ((path, _read(path)) for path in _children(library.results))
    return [path for path, text in found if text is not None and any(word in text for word in words)]


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _children(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _changed(folder: Path) -> float:
    """When anything below was written last, seconds since 1970."""
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _read(path: Path) -> str | None:
    """A result's text; None for what cannot be one."""
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= LARGEST_RESULT:
            return path.read_text(encoding="utf-8", errors="replace")
    return None
