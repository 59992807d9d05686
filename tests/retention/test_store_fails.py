"""A store that says no in the middle of a video's work: told with the remedy, the video as far as it was."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from channelscribe.catalogue import leases, references, transcripts, videos
from channelscribe.catalogue.tables import State
from channelscribe.errors import StoreNotWritable, StoreUnreachable
from channelscribe.retention import Library
from channelscribe.settings.options import StoreOptions
from channelscribe.store import MediaStore
from tests.catalogue.records import OWNER
from tests.retention.filling import finished, listed, prepared, published, recognized, rows

TABLES = ("video", "audio", "transcript", "checkpoint", "segment", "speaker")


def away(s3: StoreOptions) -> MediaStore:
    with socket.socket() as taken:  # bound, not listening: refused at once
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    return MediaStore("s3://bucket/library", s3.model_copy(update={"endpoint_url": address}))


def missing(s3: StoreOptions) -> MediaStore:
    return MediaStore("s3://there-is-no-such-bucket", s3)


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "kind"), [(away, StoreUnreachable), (missing, StoreNotWritable)])
def test_in_the_middle_of_a_video(
    library: Library, s3: StoreOptions, monkeypatch: pytest.MonkeyPatch, broken: object, kind: type[Exception]
) -> None:
    monkeypatch.setattr("channelscribe.store.bucket.TRIES", 1)
    published(library, "whole")
    clean = rows(library, *TABLES)
    library.catalogue.run(references.mark_taken_down, library.catalogue.run(videos.find_videos, "whole")[0].id)

    row = prepared(library, "a")
    checkpoints = recognized(library, row)
    failing = replace(library, store=broken(s3))  # type: ignore[operator]
    with pytest.raises(kind) as caught:
        finished(failing, row, checkpoints)
    assert caught.value.remedy  # type: ignore[attr-defined]
    library.catalogue.run(videos.record_failure, row.id, OWNER, caught.value)
    (told,) = library.catalogue.run(videos.find_videos, "a")
    assert (told.state, told.reason, told.lease_owner) == (State.DOWNLOADED, None, None)  # the machine's failure
    assert told.current_transcript_pk is None
    assert library.catalogue.run(videos.audio_of, row.id) is not None  # what was done stays done
    library.catalogue.run(leases.claim, [row.id], OWNER, 600, only_due=False)
    finished(library, row, checkpoints)
    (back,) = [video for video in rows(library, "video")["video"] if '"video_id": "a"' in video]
    (as_clean,) = clean["video"]
    assert (
        back.replace("Title of a", "Title of whole")
        .replace("watch?v=a", "watch?v=whole")
        .replace('"video_id": "a"', '"video_id": "whole"')
        == as_clean
    )


def test_a_published_video_stays_published(library: Library) -> None:
    row = published(library, "a")
    library.catalogue.run(leases.claim, [row.id], OWNER, 600, only_due=False)
    library.catalogue.run(videos.record_failure, row.id, OWNER, StoreNotWritable("No space left.", remedy="Make room."))
    (found,) = library.catalogue.run(videos.find_videos, "a")
    assert (found.state, found.reason) == (State.PUBLISHED, None)
    assert library.catalogue.run(transcripts.transcript_of, row.id)[2].text


def test_a_file_in_place_of_the_store(library: Library, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    row = listed(library, "a")
    library.catalogue.run(leases.claim, [row.id], OWNER, 600)
    with pytest.raises(StoreNotWritable, match="file"):
        prepared(replace(library, store=MediaStore(str(tmp_path / "file"))), "a")
