"""What the store has lost of published videos is told, and made again of the rows, the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from channelscribe.catalogue import references, transcripts, videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.export import VideoMeta, render
from channelscribe.retention import Library
from channelscribe.retention.backup import restore
from channelscribe.retention.repair import Repaired, repair_from_rows
from channelscribe.retention.sweep import missing, sweep
from channelscribe.settings import RetentionOptions
from channelscribe.store import MediaStore, layout
from channelscribe.transcript import Transcript
from tests.databases import NewDatabase
from tests.fixtures.old_library import unpacked
from tests.retention.filling import content, everything, of_publisher

FOR_EVER = RetentionOptions()


@pytest.fixture
def library(empty_database: NewDatabase, tmp_path: Path) -> Library:
    """One that a real sync has made: seven published videos, one of them with two versions."""
    copy, root = unpacked(tmp_path / "copy"), tmp_path / "library"
    library = Library(Database(empty_database()), MediaStore(str(root)), tmp_path / "old", tmp_path / "partial")
    restore(library, copy)
    return library


def lose(library: Library, folder: str) -> dict[str, str]:
    """Delete a folder of the store; returns what was in it."""
    before = {key: digest for key, digest in everything(library).items() if key.startswith(f"{folder}/")}
    library.store.delete_all(list(before))
    assert before
    return before


def test_a_whole_library_misses_nothing(library: Library) -> None:
    assert sweep(library, FOR_EVER, delete=False).missing == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("originals", "originals"),
        ("audio_files", "archives"),
        ("speech_tracks", "speech_tracks"),
        ("transcriptions", "transcripts"),
        ("processed", "readings"),
        ("checkpoints", "checkpoints"),
    ],
)
def test_each_folder_that_is_lost_is_told(library: Library, folder: str, kind: str) -> None:
    lost = lose(library, folder)
    told = sweep(library, FOR_EVER, delete=True)
    assert (told.missing.keys(), told.going.count()) == ({kind}, 0)
    named = {key for each in missing(library, FOR_EVER) for key in each.keys[kind]}
    if kind == "originals":  # rows do not tell how the file ended
        lost = {key.rpartition(".")[0]: digest for key, digest in lost.items()}
    assert named == lost.keys()


@pytest.mark.slow
def test_transcripts_are_made_of_the_rows(library: Library) -> None:
    """The bytes that publishing writes of the stored transcript; how subtitles are laid out is this release's."""
    lost = lose(library, "transcriptions")
    done = Repaired()
    for each in missing(library, FOR_EVER):
        done.add(repair_from_rows(library, each))
        (row,) = library.catalogue.run(videos.rows_of, [each.pk])
        channel = library.catalogue.run(references.channel_of, each.pk)
        meta = VideoMeta(title=row.title, url=row.url, id=row.video_id, channel=channel)
        for version in library.catalogue.run(transcripts.versions, each.pk):
            stored = library.store.read_json(layout.checkpoint_key("transcript", version.transcript_id))
            for name, key in version.files.items():
                assert library.store.read_bytes(key) == render(Transcript.from_dict(stored), name, meta).encode()
    assert (done.made, done.left) == ({"transcripts": len(lost)}, {})
    assert set(library.store.list("transcriptions")) == lost.keys()
    assert sweep(library, FOR_EVER, delete=False).missing == {}


def test_the_publishers_transcript_is_asked_for_again(library: Library) -> None:
    with library.catalogue.session() as session:
        query = "SELECT video_id FROM video WHERE current_transcript_pk IS NOT NULL LIMIT 1"
        name = execute(session, query).scalar_one()
    library.store.delete(of_publisher(library, name))
    done = Repaired()
    for lost in missing(library, FOR_EVER):
        done.add(repair_from_rows(library, lost))
    assert done.made == {}
    assert set(done.left.values()) == {"the publisher's transcript comes again with sync --refetch"}
    assert sweep(library, FOR_EVER, delete=False).missing == {}


def test_transcripts_among_checkpoints_are_made_of_the_rows_and_the_rest_is_forgotten(library: Library) -> None:
    lost = lose(library, "checkpoints")
    done = Repaired()
    for each in missing(library, FOR_EVER):
        done.add(repair_from_rows(library, each))
    whole = {key: digest for key, digest in lost.items() if key.startswith("checkpoints/transcript/")}
    assert (done.made, done.left) == ({"checkpoints": len(whole)}, {})
    assert {key: digest for key, digest in content(library).items() if key.startswith("checkpoints/")} == whole
    assert sweep(library, FOR_EVER, delete=False).missing == {}
