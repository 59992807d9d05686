"""A takedown: nothing is left but a tombstone, and nothing brings the video back."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from channelscribe.catalogue import leases, listings, publishing, stats, triage, videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.tables import State
from channelscribe.errors import CatalogueError, LeaseLost, UnknownVideo, UsageError
from channelscribe.retention import Library
from channelscribe.retention.sweep import sweep
from channelscribe.retention.takedown import find_one, named, take_down
from channelscribe.settings import RetentionOptions
from channelscribe.settings.options import StoreOptions
from channelscribe.sources.filters import Facts
from channelscribe.store import MediaStore, layout
from tests.catalogue.records import OWNER, SITE, Listed, Video, spoken
from tests.retention.filling import (
    broken_off,
    content,
    digits,
    everything,
    of_publisher,
    old_result,
    published,
    recognized,
    rows,
)

TABLES = ("video", "audio", "transcript", "segment", "speaker", "sentence", "entity", "checkpoint", "source")


def nothing_to_say(_: Facts) -> None:
    return None


@pytest.mark.slow
def test_everything_of_it_goes_and_nothing_else(any_library: Library) -> None:
    published(any_library, "stays", speech="the same sound")
    kept, kept_rows = everything(any_library), rows(any_library, *TABLES)
    old_result(any_library, "kept", layout.archive_key(SITE, "stays"))
    gone = published(any_library, "gone")
    published(any_library, "gone", made="2")
    recognized(any_library, gone, speech="the same sound")
    folder = broken_off(any_library, "gone")
    old_result(any_library, "gone", layout.archive_key(SITE, "gone"))
    before = everything(any_library)

    told = take_down(any_library, find_one(any_library, "gone"), delete=False)
    assert everything(any_library) == before
    assert (told.rows["transcripts"], told.rows["audio"], told.in_work) == (2, 2, False)
    done = take_down(any_library, find_one(any_library, "gone"), delete=True)
    assert done.going.tallies == told.going.tallies
    assert {key: each for key, each in everything(any_library).items() if key != "results/kept"} == kept
    assert not folder.exists()
    assert [path.name for path in any_library.old_results.iterdir() if path.is_file()] == ["kept"]
    left = rows(any_library, *TABLES)
    assert {table: left[table] for table in TABLES if table != "video"} == {
        table: kept_rows[table] for table in TABLES if table != "video"
    }
    (tombstone,) = any_library.catalogue.run(videos.find_videos, "gone")
    assert (tombstone.state, tombstone.reason, tombstone.title) == ("excluded", "taken_down", "")
    assert (tombstone.description, tombstone.published, tombstone.duration) == (None, None, None)
    again = take_down(any_library, find_one(any_library, "gone"), delete=True)
    assert (again.again, again.going.count(), sum(again.rows.values())) == (True, 0, 0)


def test_no_text_of_it_is_left_in_any_table(library: Library) -> None:
    """Looked for in a dump of all rows, whatever tables there are."""
    about = {
        "people": ["Canary"],
        "page": "https://canary.example/1",
        "transcripts": [{"url": "https://canary.example/t"}],
    }
    video = Video("gone", title="Canary in the title", description="Canary in the text")
    listing = Listed([replace(video, about=about, chapters=[[0.0, "The canary"]])], complete=False)
    library.catalogue.run(listings.record_listing, listing)
    row = library.catalogue.run(videos.find_videos, "gone")[0]
    library.catalogue.run(leases.claim, [row.id], OWNER, 600)
    key = of_publisher(library, "gone")
    library.catalogue.run(publishing.publish, row.id, OWNER, digits("t"), spoken("a Canary sang"), {"sentences": [
        {"text": "a Canary sang", "start_char": 0, "end_char": 13}], "entities": []}, {})  # fmt: skip
    assert len(canaries(library)) >= 3
    take_down(library, row, delete=True)
    triage.record_listing(library.catalogue, listing, nothing_to_say)
    assert canaries(library) == []
    assert not library.store.exists(key)


def canaries(library: Library) -> list[str]:
    found = []
    with library.catalogue.session() as session:
        tables = execute(session, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'").scalars().all()
        for table in tables:
            query = f"SELECT count(*) FROM {table} AS t WHERE to_jsonb(t)::text ILIKE '%canary%'"  # noqa: S608
            if execute(session, query).scalar_one():
                found.append(table)
    return found


def test_no_sync_brings_it_back(library: Library) -> None:
    row = published(library, "a")
    take_down(library, row, delete=True)
    listing = Listed([Video("a", title="A new title", description="again"), Video("b", position=1)])
    for _ in range(2):
        report = triage.record_listing(library.catalogue, listing, nothing_to_say)
    assert library.catalogue.run(leases.make_due, report.source_pk, ["all", "taken_down"]) == 0
    assert [each.video_id for each in library.catalogue.run(leases.due, report.source_pk)] == ["b"]
    assert [each.video_id for each in library.catalogue.run(leases.claim_next, report.source_pk, OWNER, 60, 9)] == ["b"]
    assert library.catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False) == []
    (tombstone,) = library.catalogue.run(videos.find_videos, "a")
    assert (tombstone.state, tombstone.reason, tombstone.title) == ("excluded", "taken_down", "")
    rehearsal = library.catalogue.run(triage.dry_run, listing, nothing_to_say)
    assert [(each.state, each.reason) for each in rehearsal.left_out if each.reason] == [("excluded", "taken_down")]


def test_the_database_itself_refuses_a_title(library: Library) -> None:
    row = published(library, "a")
    take_down(library, row, delete=True)
    with pytest.raises(CatalogueError), library.catalogue.session() as session:
        execute(session, "UPDATE video SET title = 'back' WHERE id = :id", id=row.id)


def test_the_title_of_a_page_with_one_video_goes_too(library: Library) -> None:
    url = "https://www.youtube.com/watch?v=a"
    page = Listed([Video("a", title="Its title")], url=url, title="Its title", kind="video")
    library.catalogue.run(listings.record_listing, page)
    row = library.catalogue.run(videos.find_videos, "a")[0]
    take_down(library, row, delete=True)
    library.catalogue.run(listings.record_listing, page)
    assert [source.title for source in library.catalogue.run(videos.sources)] == [""]


def test_a_run_that_has_it_loses_it(library: Library) -> None:
    """What it still writes after that goes with the next sweep, without any delay."""
    row = published(library, "a")
    library.catalogue.run(leases.claim, [row.id], OWNER, 600, only_due=False)
    report = take_down(library, row, delete=True)
    assert report.in_work
    for call in (
        lambda: library.catalogue.run(leases.renew, row.id, OWNER, 600),
        lambda: library.catalogue.run(publishing.publish, row.id, OWNER, "t", spoken("back"), {}, {}),
        lambda: library.catalogue.run(videos.record_state, row.id, OWNER, State.TRANSCRIBED),
        lambda: library.catalogue.run(videos.record_details, row.id, OWNER, title="back"),
    ):
        with pytest.raises(LeaseLost):
            call()
    late = layout.archive_key(SITE, "a")
    library.store.put_bytes(b"written late", late)
    old_result(library, "late", late)
    broken_off(library, "a")
    swept = sweep(library, RetentionOptions(), delete=True)
    assert swept.going.count("taken_down") == 2
    assert not library.store.exists(late)
    assert not list(library.partial.iterdir())


@pytest.mark.parametrize("step", ["mark_taken_down", "delete_all", "unlink", "forget_checkpoints"])
def test_killed_after_any_step_the_same_again_finishes(
    library: Library, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    row = published(library, "a")
    broken_off(library, "a")
    owner, method = {"unlink": (Path, step), "delete_all": (type(library.store), step)}.get(step, (Database, "run"))
    whole = getattr(owner, method)

    def killed(self: Any, *args: Any, **named: Any) -> Any:
        if method == "run" and args[0].__name__ != step:
            return whole(self, *args, **named)
        if step == "delete_all":
            args = (list(args[0])[:3],)
        whole(self, *args, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(owner, method, killed)
        take_down(library, row, delete=True)
    assert library.catalogue.run(videos.find_videos, "a")[0].taken_down_at is not None
    take_down(library, find_one(library, row.url), delete=True)
    assert content(library) == {}
    assert everything(library) == {}
    assert not library.old_results.exists()
    assert rows(library, "checkpoint", "audio", "transcript") == {"checkpoint": [], "audio": [], "transcript": []}


def test_which_video_is_meant(library: Library) -> None:
    with pytest.raises(UnknownVideo):
        find_one(library, "nope")
    library.catalogue.run(
        listings.record_listing, Listed([Video("x"), Video("x", site="vimeo", url="https://vimeo.com/x")])
    )
    with pytest.raises(UsageError, match="vimeo:x"):
        find_one(library, "x")
    assert find_one(library, "vimeo:x").site == "vimeo"


def test_lines_of_this_machines_logs_go(library: Library) -> None:
    """Those that name it, by its id, address or title, and no others; who has the file open goes on at its end."""
    row = published(library, "dQw4w9WgXcQ")
    assert library.logs is not None
    library.logs.mkdir()
    log = library.logs / "cpu-worker.log"
    kept = ["started", "download dQw4w9WgXcQx", "prepare xdQw4w9WgXcQ", "caf\udce9"]
    gone = ["download dQw4w9WgXcQ", "results/youtube/dQw4w9WgXcQ/x.json", f"got {row.url}&t=1", f"{row.title}: done"]
    log.write_text("\n".join([*kept, *gone, "last"]) + "\n", encoding="utf-8", errors="surrogateescape")
    (library.logs / "cpu-worker.log.1").write_text("\n".join(gone) + "\n")
    with log.open("a") as still_open:
        told = take_down(library, row, delete=False)
        take_down(library, row, delete=True)
        still_open.write("later\n")
    assert [each.count for each in told.going.tallies if each.kind == "lines of logs"] == [2 * len(gone)]
    left = log.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    assert left == [*kept, "last", "later"]
    assert (library.logs / "cpu-worker.log.1").read_text() == ""


def test_a_short_id_is_found_where_it_is_an_id() -> None:
    wanted = named("youtube", "1", "https://x/watch?v=1")
    assert wanted.search("results/youtube/1/x.json") and wanted.search("got https://x/watch?v=1")
    assert not wanted.search("1 video") and not wanted.search("youtube/12/x")


def test_what_may_be_elsewhere_is_told(library: Library) -> None:
    row = published(library, "a")
    for worker in ("gpu-1:77", f"{platform.node()}:78"):
        library.catalogue.run(stats.record_stage, row.id, "recognize", "done", 1.0, 1, worker)
    (left,) = take_down(library, row, delete=True).left
    assert left.startswith("gpu-1 has worked on it") and f"{SITE}-a" in left


def test_a_bucket_that_keeps_versions_is_told(library: Library, s3: StoreOptions, bucket: str) -> None:
    url = f"s3://{bucket}/library"
    row = published(library, "a")
    other = replace(library, store=MediaStore(url, s3))
    assert take_down(other, row, delete=False).left == []
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "canary-secret"}
    client = boto3.client("s3", endpoint_url=s3.endpoint_url, region_name=s3.region, **keys)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    (left,) = take_down(other, row, delete=False).left
    assert left.startswith(f"{url} keeps versions")
