"""A library of the release before: it opens, is migrated, and what was done for it is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channelscribe.catalogue import leases, listings, references, schema, search, stats, transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.search_query import Question
from channelscribe.catalogue.tables import VideoRow
from channelscribe.retention import Library
from channelscribe.retention.backup import restore
from channelscribe.settings import SourceOptions
from channelscribe.sources.listing import list_source
from channelscribe.store import MediaStore
from tests.databases import NewDatabase
from tests.fixtures.old_library import served, unpacked
from tests.retention.filling import content


@pytest.fixture
def old(empty_database: NewDatabase, tmp_path: Path) -> Library:
    """The old library, restored into an empty database and a folder."""
    copy, root = unpacked(tmp_path / "copy"), tmp_path / "library"
    library = Library(Database(empty_database()), MediaStore(str(root)), root / "results", tmp_path / "partial")
    restore(library, copy)
    return library


def published_of(library: Library) -> list[VideoRow]:
    rows = [
        row
        for source in library.catalogue.run(videos.sources)
        for row in library.catalogue.run(videos.list_videos, source.id)
    ]
    return list({row.id: row for row in rows if row.state == "published"}.values())


@pytest.mark.slow
def test_it_is_migrated_and_read(old: Library) -> None:
    old.catalogue.read(schema.check_schema)
    status = old.catalogue.run(stats.status)
    assert status.states["published"] == 7
    assert (status.states["waiting"], status.states["unavailable"], status.states["excluded"]) == (1, 2, 1)
    assert [source.title for source in old.catalogue.run(videos.sources)].count("News") == 1
    row, version, transcript = old.catalogue.run(transcripts.transcript_of, "yt-a")
    assert (row.title, version.version) == ("A of News", 1)
    assert transcript.text and transcript.words
    word = max((word.text.strip(".,!?") for word in transcript.words), key=len)
    assert "yt-a" in {hit.video for hit in old.catalogue.run(search.search, Question(word))}
    (again,) = [row for row in published_of(old) if len(old.catalogue.run(transcripts.versions, row.id)) == 2]
    assert (again.title, old.catalogue.run(transcripts.transcript_of, again.id)[1].version) == ("Number one of B", 2)


def test_its_files_are_whole_and_its_checkpoints_are_found(old: Library) -> None:
    for row in published_of(old):
        for version in old.catalogue.run(transcripts.versions, row.id):
            assert all(old.store.exists(key) for key in version.files.values())
            assert json.loads(old.store.read_bytes(version.files["json"]))["segments"]
    noted = [key for key in content(old) if key.startswith("checkpoints/")]
    assert len(old.catalogue.run(references.uses_of, noted)) == len(noted) == 15


@pytest.mark.slow
def test_its_feeds_are_listed_and_nothing_is_fetched_again(old: Library, tmp_path: Path) -> None:
    """Feed B never got its `episode-1`, because A's had that name: it is the only one that is new."""
    options = SourceOptions(allow_private_addresses=True)
    before = {row.id: (row.site, row.video_id, row.state) for row in published_of(old)}
    with served(tmp_path / "copy") as (a, b, _):
        reports = {}
        for feed in (a, b, a, b):
            memory = old.catalogue.run(listings.memory_of, feed.feed_url)
            listing = list_source(feed.feed_url, options, memory=memory)
            report = old.catalogue.run(listings.record_listing, listing)
            reports.setdefault(feed.feed_url, []).append((report.new, report.gone))
            due = {row.guid: row.title for row in old.catalogue.run(leases.due, report.source_pk)}
            assert due == ({"episode-1": "First of B"} if feed is b else {}), due
    assert reports == {a.feed_url: [(0, 0), (0, 0)], b.feed_url: [(1, 0), (0, 0)]}
    assert {row.id: (row.site, row.video_id, row.state) for row in published_of(old)} == before
    assert [row.title for row in old.catalogue.run(videos.find_videos, "episode-1")] == ["First of A", "First of B"]
    (gone,) = old.catalogue.run(videos.find_videos, "generic:gone")
    assert gone.taken_down_at is not None and gone.title == ""
