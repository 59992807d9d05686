"""A library into a folder, and back.

    DIR/manifest.json         what the copy holds; written last, so a copy that was broken off is not taken for one
    DIR/catalogue-<time>/     the rows of each table
    DIR/library/              the objects, under their keys

Rows are copied before objects: objects are in the store before rows point to them, so each that a copied row points to
is copied. On the way back objects come first, for the same reason. Both may be broken off and run again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from channelscribe.catalogue import dump, leases, schema
from channelscribe.catalogue.connection import Database
from channelscribe.errors import ObjectMissing, StoreError, StoreNotWritable, UsageError
from channelscribe.files import atomic_write
from channelscribe.retention.library import Library
from channelscribe.store import MediaStore, ObjectInfo
from channelscribe.store.layout import CHECKPOINTS, KINDS, is_ours

__all__ = ["BackupReport", "back_up", "bring_up_to_date", "restore"]

FORMAT = 1
MANIFEST = "manifest.json"
KEPT_COPIES = 3
"""Of rows from before a change of the schema."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """`objects` and `bytes` were copied now; `known` were there already; `pruned` were deleted from the copy."""

    rows: dict[str, int]
    objects: int
    bytes: int
    known: int
    pruned: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def back_up(library: Library, folder: Path, *, prune: bool = False) -> BackupReport:
    """Bring the copy in `folder` up to date. `prune` deletes from it what the library no longer has."""
    try:
        manifest = _copy_rows(library.catalogue, folder)
        copy = MediaStore(str(folder / "library"))
        there = {found.key: found for found in copy.objects()}
        done, size, known = 0, 0, set[str]()
        for found in _objects(library.store):
            known.add(found.key)
            if _is_same(found, there.get(found.key)) or not _copied(found.key, library.store, copy):
                continue
            done, size = done + 1, size + found.bytes
        gone = sorted(set(there) - known) if prune else []
        copy.delete_all(gone)
        _write_manifest(folder, manifest)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    rows = {name: facts["rows"] for name, facts in manifest["tables"].items()}
    return BackupReport(rows, done, size, len(known) - done, len(gone))


def bring_up_to_date(catalogue: Database, copies: Path) -> Path | None:
    """Migrate a catalogue to this program's schema. The rows of an older one are copied first, into a folder of their
    own below `copies`, which `restore` takes; returns that folder, None where there was nothing to save.

    Raises SchemaMismatch for a newer schema, and StoreNotWritable, with nothing changed, when there is no room.
    """
    before = schema.revision_of(catalogue)
    if before is None or schema.note_if_older(catalogue) is None:
        schema.migrate(catalogue)
        return None
    folder = copies / f"schema-{before}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    try:
        _write_manifest(folder, _copy_rows(catalogue, folder))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _cannot_write(folder, error) from error
    schema.migrate(catalogue)
    for old in sorted(copies.glob("schema-*"), key=lambda path: path.name.rpartition("-")[2])[:-KEPT_COPIES]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _copy_rows(catalogue: Database, folder: Path) -> dict[str, Any]:
    """All rows into a new folder below; returns the manifest to write when the rest is there, too."""
    place = folder / f"catalogue-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    place.mkdir(parents=True)
    return {"format": FORMAT, "catalogue": place.name, **dump.dump(catalogue, place)}


def restore(library: Library, folder: Path) -> BackupReport:
    """Fill an empty library; nothing of it is in work then. Raises UsageError where there is no whole copy."""
    manifest = _read_manifest(folder)
    copy = MediaStore(str(folder / "library"))
    there = {found.key: found.bytes for found in _objects(library.store)}
    done, size, known = 0, 0, 0
    for found in copy.objects():
        with copy.local_path(found.key) as path:
            library.store.put_file(path, found.key)  # the same again costs no writing
        if found.key in there:
            known += 1
        else:
            done, size = done + 1, size + found.bytes
    dump.load(library.catalogue, folder / manifest["catalogue"], manifest)
    library.catalogue.run(leases.release_all)  # who worked on it on the day of the backup does not do so here
    return BackupReport({name: facts["rows"] for name, facts in manifest["tables"].items()}, done, size, known)


def _objects(store: MediaStore) -> Iterator[ObjectInfo]:
    """What is ours: a bucket or folder may hold other people's things, too."""
    for folder in (*KINDS, CHECKPOINTS):
        yield from (found for found in store.objects(folder) if is_ours(found.key))


def _is_same(found: ObjectInfo, copied: ObjectInfo | None) -> bool:
    """Objects change only by being written anew, so a copy that is younger and as long is of what is there now."""
    return copied is not None and copied.bytes == found.bytes and copied.modified >= found.modified


def _copied(key: str, store: MediaStore, copy: MediaStore) -> bool:
    """False when it was deleted meanwhile."""
    try:
        with store.local_path(key) as path:
            copy.put_file(path, key, overwrite=True)
            return True
    except ObjectMissing:
        return False


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    with atomic_write(folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode())
    for old in folder.glob("catalogue-*"):
        if old.name != manifest["catalogue"]:
            shutil.rmtree(old, ignore_errors=True)


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"{folder} does not hold a complete backup.", remedy="`channelscribe backup DIR` makes one."
        ) from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / MANIFEST} cannot be read: {error}.", reason="corrupt_object") from error
    if manifest.get("format") != FORMAT:
        raise UsageError(f"{folder} was written by a newer channelscribe.", remedy="Update this one.")
    return manifest


def _cannot_write(folder: Path, error: OSError) -> StoreNotWritable:
    return StoreNotWritable(f"{folder}: {error.strerror or error}.", remedy="Make room, or give another folder.")
