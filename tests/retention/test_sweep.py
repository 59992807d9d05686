"""Orphans and retention: what goes, what stays, and that nobody's work is taken away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from channelscribe.catalogue import leases, publishing, references, transcripts, videos
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.tables import State
from channelscribe.errors import LeaseLost, VideoUnavailable
from channelscribe.retention import Library
from channelscribe.retention.sweep import SweepReport, sweep
from channelscribe.settings import RetentionOptions
from channelscribe.store import layout
from tests.catalogue.records import OWNER, SITE, spoken
from tests.retention.filling import (
    DAY,
    HOUR,
    age,
    answer,
    broken_off,
    content,
    digits,
    finished,
    listed,
    of_publisher,
    old_result,
    prepared,
    published,
    recognized,
)

AT_ONCE = RetentionOptions(orphan_hours=0)


def root(library: Library) -> Path:
    return library.old_results.parent


def tallies(report: SweepReport) -> dict[tuple[str, str], int]:
    return {(each.why, each.kind): each.count for each in report.going.tallies}


@pytest.mark.slow
def test_what_rows_point_to_stays_and_nothing_else(any_library: Library) -> None:
    published(any_library, "a")
    published(any_library, "a", made="2")  # other audio options: the first version's files are still its own
    of_publisher(any_library, "a")
    kept = content(any_library)
    orphans = [
        layout.original_key(SITE, "a", "251", "webm"),
        layout.publisher_key(SITE, "a", "de", "srt"),
        layout.speech_key(SITE, "a", digits("gone")),
        layout.part_key(SITE, "a", digits("gone"), "archive-001", "mp3"),
        layout.transcript_key(SITE, "a", digits("gone"), "txt"),
        layout.reading_key(SITE, "a", digits("gone")),
        layout.checkpoint_key("align", digits("gone")),
    ]
    unknown = [layout.archive_key(SITE, "unknown"), layout.cover_key(SITE, "unknown")]  # another library's
    for key in orphans:
        any_library.store.put_bytes(b"orphan", key)
    others = ["doctor/probe.txt", "originals/readme.txt", "results/2026/summary.csv", "checkpoints/epoch/last.pt"]
    for key in (*unknown, *others):
        any_library.store.put_bytes(b"of somebody else", key)
    before = content(any_library)
    old_result(any_library, "of-an-orphan", orphans[1])
    stale = answer(any_library, "align", digits("no such checkpoint"))

    told = sweep(any_library, AT_ONCE, delete=False)
    assert content(any_library) == before
    assert set(told.going.examples) == {*orphans, "of-an-orphan", stale}
    assert told.unknown == len(unknown)

    assert sweep(any_library, RetentionOptions(), delete=True).going.count() == 0  # all are too young
    done = sweep(any_library, AT_ONCE, delete=True)
    assert tallies(done) == tallies(told)
    left = content(any_library)
    assert set(left) == {*kept, *unknown, "doctor/probe.txt", "originals/readme.txt", "checkpoints/epoch/last.pt"}
    assert not (any_library.old_results / "of-an-orphan").exists()
    assert any_library.store.exists("results/2026/summary.csv") and not any_library.store.exists(stale)
    assert sweep(any_library, AT_ONCE, delete=True).going.count() == 0


def test_unfinished_and_leased_work_keeps_all_it_has(library: Library) -> None:
    """A failed aligner must not cost the recognition, however long its video waits for the operator."""
    waiting = prepared(library, "waiting")
    recognized(library, waiting)
    library.catalogue.run(videos.record_state, waiting.id, OWNER, State.RETRYING, reason="model_unavailable")
    in_work = published(library, "in-work")
    library.catalogue.run(leases.claim, [in_work.id], OWNER, 600, only_due=False)
    library.store.put_bytes(b"new", layout.speech_key(SITE, "in-work", digits("new")))
    folder = broken_off(library, "waiting")
    age(root(library), library.partial, seconds=400 * DAY)
    everything = RetentionOptions(
        orphan_hours=0, originals_days=0, archives_days=0, speech_tracks_days=0, audio_parts_days=0,
        checkpoints_days=0, old_versions_days=0,
    )  # fmt: skip
    before = content(library)
    report = sweep(library, everything, delete=True)
    assert (report.going.count(), content(library)) == (0, before)
    assert folder.exists()


def test_retention_by_kind(library: Library) -> None:
    published(library, "old")
    age(root(library), seconds=40 * DAY)
    published(library, "new")
    options = RetentionOptions(originals_days=30, speech_tracks_days=30)
    report = sweep(library, options, delete=True)
    assert tallies(report) == {("expired", "originals"): 2, ("expired", "speech_tracks"): 1}
    left = content(library)
    assert not [key for key in left if "/old" in key and key.startswith(("originals", "speech"))]
    assert [key for key in left if "/new/" in key and key.startswith("originals")]
    # In a row that is older than what it points to may be, nothing is missed.
    assert report.missing == {"originals": 1, "speech_tracks": 1}
    with library.catalogue.session() as session:
        execute(session, "UPDATE audio SET created_at = now() - interval '31 days'")
    assert sweep(library, options, delete=False).missing == {}
    assert library.catalogue.run(videos.find_videos, "old")[0].state == State.PUBLISHED
    assert library.catalogue.run(transcripts.transcript_of, "old")[2].text
    again = tallies(sweep(library, replace_all(0), delete=True))
    assert again["stale", "results"] == 3  # of the checkpoints that went; those of "new" are too young
    kinds = {kind for _, kind in again if kind != "results"}
    assert kinds == {"originals", "archives", "audio_parts", "speech_tracks", "checkpoints"}
    assert {key.partition("/")[0] for key in content(library)} == {"transcriptions", "processed"}


def replace_all(days: float) -> RetentionOptions:
    names = [name for name in RetentionOptions.model_fields if name.endswith("_days")]
    return RetentionOptions(**dict.fromkeys(names, days))


def test_old_versions_go_and_the_current_one_stays(library: Library) -> None:
    published(library, "a")
    current = published(library, "a", made="2")
    options = RetentionOptions(old_versions_days=0)
    told = sweep(library, options, delete=False)
    assert told.going.examples == [f"{SITE}:a version 1"]
    assert len(library.catalogue.run(transcripts.versions, current.id)) == 2
    sweep(library, options, delete=True)
    assert [row.version for row in library.catalogue.run(transcripts.versions, current.id)] == [2]
    identity = digits("transcript", "a", "2")[:12]
    files = library.store.list("transcriptions")
    assert len(files) == 5 and all(identity in key for key in files)
    assert len(library.store.list("processed")) == 1
    assert len(library.store.list("checkpoints/transcript")) == 1
    assert sweep(library, options, delete=True).going.count() == 0


def test_a_version_that_becomes_current_again_is_not_deleted(library: Library) -> None:
    published(library, "a")
    row = published(library, "a", made="2")
    (old,) = library.catalogue.run(references.old_versions, row.created_at.replace(year=2999))
    library.catalogue.run(leases.claim, [row.id], OWNER, 600, only_due=False)
    finished(library, row, [], made="1")
    assert not library.catalogue.run(references.delete_old_version, old)
    assert len(library.catalogue.run(transcripts.versions, row.id)) == 2


def test_lost_leases_are_given_back(library: Library) -> None:
    row = prepared(library, "a")
    library.catalogue.run(leases.renew, row.id, OWNER, -1)
    assert sweep(library, AT_ONCE, delete=False).lost_leases == 1
    assert sweep(library, AT_ONCE, delete=True).lost_leases == 1
    assert library.catalogue.run(videos.find_videos, "a")[0].lease_owner is None
    with pytest.raises(LeaseLost):  # who held it may still be alive
        library.catalogue.run(publishing.publish, row.id, OWNER, "t", spoken("late"), {}, {})


def test_a_run_that_takes_a_video_up_meanwhile_keeps_it(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the decision and the deletion the video is claimed: what it has is not touched."""
    row = published(library, "a")
    orphan = layout.speech_key(SITE, "a", digits("again"))
    library.store.put_bytes(b"to be used again", orphan)
    whole = references.locked_standing

    def late(session: Any, name: tuple[str, str]) -> Any:
        library.catalogue.run(leases.claim, [row.id], "another run", 600, only_due=False)
        return whole(session, name)

    monkeypatch.setattr(references, "locked_standing", late)
    assert sweep(library, AT_ONCE, delete=True).going.count() == 0
    assert library.store.exists(orphan)


def test_nobody_can_take_up_a_video_while_its_files_are_deleted(library: Library) -> None:
    row = published(library, "a")
    with library.catalogue.session() as session:
        references.locked_standing(session, (SITE, "a"))
        assert library.catalogue.run(leases.claim, [row.id], "another run", 600, only_due=False) == []
    assert len(library.catalogue.run(leases.claim, [row.id], "another run", 600, only_due=False)) == 1


def test_a_checkpoint_that_somebody_begins_to_use_meanwhile_stays(library: Library) -> None:
    key = layout.checkpoint_key("align", digits("x"))
    library.store.put_bytes(b"x", key)
    row = listed(library, "a")
    library.catalogue.run(references.note_checkpoint, row.id, key)
    with library.catalogue.session() as session:
        assert references.uses_of(session, [key], lock=True)[key].busy  # discovered: it is to be used
    library.catalogue.run(leases.claim, [row.id], OWNER, 600)
    library.catalogue.run(videos.record_failure, row.id, OWNER, VideoUnavailable("private", reason="private"))
    assert sweep(library, AT_ONCE, delete=True).going.count() == 0  # a row points to it
    assert tallies(sweep(library, replace_all(0), delete=True)) == {("expired", "checkpoints"): 1}
    with library.catalogue.session() as session:
        assert execute(session, "SELECT count(*) FROM checkpoint").scalar_one() == 0


def test_leftovers_of_given_up_videos(library: Library) -> None:
    row = listed(library, "given-up")
    library.catalogue.run(leases.claim, [row.id], OWNER, 600)
    library.catalogue.run(videos.record_failure, row.id, OWNER, VideoUnavailable("private", reason="private"))
    listed(library, "to-be-resumed")
    folders = [broken_off(library, name) for name in ("given-up", "to-be-resumed", "unknown")]
    library.store.put_bytes(b"of no use", layout.original_key(SITE, "given-up", "140", "m4a"))
    age(root(library), library.partial, seconds=3 * HOUR)
    assert sweep(library, RetentionOptions(), delete=True).going.count() == 0
    report = sweep(library, RetentionOptions(orphan_hours=2), delete=True)
    assert tallies(report) == {("orphan", "partial downloads"): 2, ("orphan", "originals"): 1}
    assert [folder.exists() for folder in folders] == [False, True, False]


def test_what_a_killed_process_was_writing(library: Library) -> None:
    partial = root(library) / ".partial" / ("0123" * 8)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"half")
    others = partial.with_name("backup.tar")  # of a program that calls its folder the same
    others.write_bytes(b"half, too")
    assert tallies(sweep(library, RetentionOptions(), delete=True)) == {}
    age(partial, others, seconds=3 * DAY)
    assert tallies(sweep(library, RetentionOptions(), delete=False)) == {("unfinished", "uploads"): 1}
    assert partial.exists()
    sweep(library, RetentionOptions(), delete=True)
    assert not partial.exists()
    library.store.put_bytes(b"x", "originals/youtube/a/1.m4a")  # the first write looks for what is left over, too
    assert others.exists()


def test_rows_from_before_pointers_were_kept(library: Library) -> None:
    """Rows of an older schema do not tell parts and readings: then those of their video stay."""
    published(library, "a")
    with library.catalogue.session() as session:
        execute(session, "UPDATE audio SET part_keys = NULL, format_id = NULL")
        execute(session, "UPDATE transcript SET reading_key = NULL")
    before = content(library)
    sweep(library, AT_ONCE, delete=True)
    assert content(library) == before
