"""The files of a transcript beside each other in a folder, and what they were made from.

Needs nothing. Leaves `<name>.<format>` for each format, and `<name>.transcribe.json`, which tells what they were made
from and their sha256. That is how a file of ours is known: only those are ever overwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from channelscribe.errors import StoreConflict, StoreNotWritable
from channelscribe.export import Layout, VideoMeta, render
from channelscribe.files import atomic_write, sha256_file
from channelscribe.settings.options import SubtitleOptions
from channelscribe.transcript import Transcript

__all__ = ["already_made", "refuse_foreign", "write_outputs"]

_MANIFEST = "transcribe.json"


def already_made(folder: Path, name: str, made_from: str) -> dict[str, Any] | None:
    """What was told of the files when they were written, if they are of the same source and options and whole."""
    manifest = _manifest(folder, name)
    if manifest.get("made_from") != made_from or not isinstance(manifest.get("about"), dict):
        return None
    whole = all(_is_ours(folder / file, manifest) for file in manifest["files"])
    about: dict[str, Any] = manifest["about"]
    return about if whole else None


def refuse_foreign(folder: Path, name: str, formats: Sequence[str]) -> None:
    """Raises StoreConflict where a file would be overwritten that we did not write, or that was changed since."""
    manifest = _manifest(folder, name)
    own = [] if manifest else [folder / f"{name}.{_MANIFEST}"]
    for path in [*own, *(folder / f"{name}.{each}" for each in formats)]:
        if os.path.lexists(path) and not _is_ours(path, manifest):
            raise StoreConflict(
                f"{path.name} is there already, and this command did not write it.",
                remedy="Move it away, or give another --out.",
            )


def write_outputs(
    transcript: Transcript,
    folder: Path,
    name: str,
    formats: Sequence[str],
    layout: Layout,
    made_from: str,
    about: Mapping[str, Any],
    subtitles: SubtitleOptions = SubtitleOptions(),  # noqa: B008 (it is frozen)
) -> list[Path]:
    """Writes the files, each whole or not at all, and removes our own of formats that are no longer wanted.

    `about` is kept for `already_made`. Raises StoreConflict and StoreNotWritable.
    """
    refuse_foreign(folder, name, formats)
    before = _manifest(folder, name)
    meta = VideoMeta(title=name.encode("utf-8", "replace").decode(), url="")
    paths = [folder / f"{name}.{each}" for each in formats]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, each in zip(paths, formats, strict=True):
            with atomic_write(path) as file:
                file.write(render(transcript, each, meta, layout, subtitles).encode("utf-8", "replace"))
        sums = {path.name: sha256_file(path) for path in paths}
        for old in set(before.get("files", ())) - set(sums):
            if _is_ours(folder / old, before):
                (folder / old).unlink()
        manifest = {"made_from": made_from, "files": sums, "about": dict(about)}
        with atomic_write(folder / f"{name}.{_MANIFEST}") as file:
            file.write((json.dumps(manifest, indent=1) + "\n").encode())
    except OSError as error:
        raise StoreNotWritable(
            f"{error.filename or name} cannot be written: {error.strerror}.", remedy="Give another --out."
        ) from error
    return paths


def _manifest(folder: Path, name: str) -> dict[str, Any]:
    """The manifest, or nothing where there is none or somebody else wrote it."""
    try:
        found = json.loads((folder / f"{name}.{_MANIFEST}").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    valid = isinstance(found, dict) and isinstance(found.get("files"), dict)
    return found if valid and all(Path(file).name == file for file in found["files"]) else {}


def _is_ours(path: Path, manifest: Mapping[str, Any]) -> bool:
    known = manifest.get("files", {}).get(path.name)
    try:
        return known is not None and not path.is_symlink() and sha256_file(path) == known
    except OSError:
        return False
