"""Backup and restore: a copy is whole or not there, and becomes the same library somewhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from channelscribe.catalogue import dump, leases, schema, search, transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.schema import migrate
from channelscribe.catalogue.search_query import Question
from channelscribe.errors import CatalogueError, SchemaMismatch, StoreError, StoreNotWritable, UsageError
from channelscribe.retention import Library
from channelscribe.retention.backup import back_up, bring_up_to_date, restore
from channelscribe.retention.takedown import take_down
from channelscribe.store import MediaStore
from tests.catalogue.records import OWNER
from tests.databases import NewDatabase
from tests.retention.filling import TEXT, everything, prepared, published, rows

TABLES = (
    *("source", "video", "source_video", "audio", "transcript", "checkpoint"),
    *("segment", "speaker", "sentence", "entity", "breaker"),
)


@pytest.fixture
def elsewhere(empty_database: NewDatabase, tmp_path: Path) -> Library:
    """A database without tables, and an empty store."""
    root = tmp_path / "elsewhere"
    return Library(Database(empty_database()), MediaStore(str(root)), root / "results", tmp_path / "partial")


@pytest.mark.slow
def test_there_and_back(any_library: Library, elsewhere: Library, tmp_path: Path) -> None:
    for video in ("a", "b"):
        published(any_library, video)
    published(any_library, "a", made="2")
    prepared(any_library, "unfinished")
    take_down(any_library, any_library.catalogue.run(videos.find_videos, "b")[0], delete=True)
    kept = everything(any_library)
    for key in ("dump.tar", "originals/photo.raw", "backups/2026/originals.zip"):  # in the same bucket or folder
        any_library.store.put_bytes(b"of somebody else", key)
    folder = tmp_path / "copy"
    done = back_up(any_library, folder)
    assert (done.objects, done.known) == (len(kept), 0)
    back = restore(elsewhere, folder)
    assert back.objects == done.objects
    assert everything(elsewhere) == kept
    any_library.catalogue.run(leases.release_all)  # a copy is in nobody's hands
    assert rows(elsewhere, *TABLES) == rows(any_library, *TABLES)
    elsewhere.catalogue.read(schema.check_schema)
    assert (
        elsewhere.catalogue.run(transcripts.transcript_of, "a")[2]
        == any_library.catalogue.run(transcripts.transcript_of, "a")[2]
    )
    assert {hit.video for hit in elsewhere.catalogue.run(search.search, Question("paris"))} == {
        "a"
    }  # computed columns, too
    assert published(elsewhere, "new").id > elsewhere.catalogue.run(videos.find_videos, "a")[0].id  # numbers go on
    with pytest.raises(CatalogueError, match="not empty"):
        restore(elsewhere, folder)


def test_what_was_in_work_on_that_day_is_free(library: Library, elsewhere: Library, tmp_path: Path) -> None:
    row = prepared(library, "a")
    library.catalogue.run(leases.renew, row.id, OWNER, 10**9, "recognize", 0.5)
    back_up(library, tmp_path / "copy")
    restore(elsewhere, tmp_path / "copy")
    (found,) = elsewhere.catalogue.run(videos.find_videos, "a")
    assert (found.state, found.lease_owner, found.step) == ("downloaded", None, None)
    assert [each.id for each in elsewhere.catalogue.run(leases.claim, [found.id], "another run", 60)] == [found.id]


@pytest.mark.slow
def test_again_copies_what_is_new_and_prunes_on_request(library: Library, tmp_path: Path) -> None:
    published(library, "a")
    folder = tmp_path / "copy"
    first = back_up(library, folder)
    again = back_up(library, folder)
    assert (again.objects, again.known) == (0, first.objects)
    published(library, "a", made="2")
    assert back_up(library, folder).objects > 0
    take_down(library, library.catalogue.run(videos.find_videos, "a")[0], delete=True)
    assert back_up(library, folder).pruned == 0
    assert MediaStore(str(folder / "library")).list()
    assert back_up(library, folder, prune=True).pruned > 0
    assert MediaStore(str(folder / "library")).list() == []
    assert len(list(folder.glob("catalogue-*"))) == 1
    dumped = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert TEXT.encode() not in dumped


def test_a_copy_that_was_broken_off_leaves_the_one_before(
    library: Library, elsewhere: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"
    with pytest.raises(UsageError, match="does not hold a complete backup"):
        restore(elsewhere, folder)
    published(library, "a")
    back_up(library, folder)
    before = rows(library, *TABLES)
    published(library, "b")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("channelscribe.retention.backup._write_manifest", killed)
        back_up(library, folder)
    restore(elsewhere, folder)
    assert rows(elsewhere, *TABLES) == before


def test_a_restore_that_was_broken_off_goes_on(
    library: Library, elsewhere: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(library, "a")
    folder = tmp_path / "copy"
    back_up(library, folder)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("channelscribe.catalogue.dump._count_on", killed)
        restore(elsewhere, folder)
    assert elsewhere.catalogue.run(videos.find_videos, "a") == [] or not rows(elsewhere, "video")["video"]
    restore(elsewhere, folder)
    assert everything(elsewhere) == everything(library)
    assert rows(elsewhere, *TABLES) == rows(library, *TABLES)


def test_a_damaged_or_newer_copy_is_told(library: Library, elsewhere: Library, tmp_path: Path) -> None:
    published(library, "a")
    folder = tmp_path / "copy"
    back_up(library, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "schema": "9999"}))
    with pytest.raises(SchemaMismatch, match="newer"):
        restore(elsewhere, folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    table = folder / manifest["catalogue"] / "video.copy.gz"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"video\.copy\.gz"):
        restore(elsewhere, folder)


def test_a_copy_of_an_older_schema_is_migrated(empty_database: NewDatabase, elsewhere: Library, tmp_path: Path) -> None:
    old = Database(empty_database())
    migrate(old, "0002")
    with psycopg.connect(old.url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute("INSERT INTO video (site, video_id, url) VALUES ('youtube', 'old', 'https://x/old')")
    place = tmp_path / "copy"
    place.mkdir()
    contents = dump.dump(Database(old.url.render_as_string(hide_password=False)), place)
    assert contents["schema"] == "0002"
    dump.load(elsewhere.catalogue, place, contents)
    elsewhere.catalogue.read(schema.check_schema)
    assert [row.video_id for row in elsewhere.catalogue.run(videos.find_videos, "old")] == ["old"]


def older(url: str) -> Database:
    """A library with one video, of the schema before last."""
    schema.migrate(Database(url), "0004")
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO video (site, video_id, url) VALUES ('youtube', 'old', 'https://x/old')")
    return Database(url)


def test_before_the_schema_changes_rows_are_copied_and_can_be_put_back(
    empty_database: NewDatabase, elsewhere: Library, tmp_path: Path
) -> None:
    catalogue, copies = older(empty_database()), tmp_path / "copies"
    for name in ("schema-0001-1", "schema-0002-2", "schema-0003-3"):
        (copies / name).mkdir(parents=True)
    copy = bring_up_to_date(catalogue, copies)
    assert copy is not None and [path.name for path in sorted(copies.iterdir())] == [
        *("schema-0002-2", "schema-0003-3", copy.name)
    ]
    catalogue.read(schema.check_schema)
    assert json.loads((copy / "manifest.json").read_text())["schema"] == "0004"
    assert restore(elsewhere, copy).rows["video"] == 1
    assert [row.video_id for row in elsewhere.catalogue.run(videos.find_videos, "old")] == ["old"]
    assert bring_up_to_date(catalogue, copies) is None
    assert bring_up_to_date(Database(empty_database()), copies) is None
    assert len(list(copies.iterdir())) == 3


def test_without_room_for_the_copy_the_schema_stays(empty_database: NewDatabase, tmp_path: Path) -> None:
    catalogue = older(empty_database())
    (tmp_path / "copies").write_text("in the way")
    with pytest.raises(StoreNotWritable, match="copies"):
        bring_up_to_date(catalogue, tmp_path / "copies")
    assert schema.revision_of(catalogue) == "0004"


def test_a_folder_that_cannot_be_written(library: Library, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreNotWritable, match="file"):
        back_up(library, tmp_path / "file" / "copy")
