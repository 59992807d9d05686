"""What the pipeline makes of failures: each is on its video's row, the machine's on none, and the queue ends there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from channelscribe.catalogue import videos
from channelscribe.catalogue.connection import Database
from channelscribe.errors import ChannelscribeError, SourceBlocked, StoreNotWritable, VideoUnavailable
from channelscribe.settings import Settings
from channelscribe.settings.travel import to_travel
from flows import pipeline
from tasks import leases, publish, queue
from tasks.batching import Failed
from tests.tasks.test_queue import OWNER, due_videos, listed


@pytest.fixture
def _here(catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (queue, leases, publish):
        monkeypatch.setattr(module, "catalogue", lambda: catalogue)


def ended_with(error: ChannelscribeError, catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of three videos whose first download fails so."""

    def one_fails(due: queue.VideoQueue, *_: Any) -> Iterator[Any]:
        (video,) = due.next(1)
        yield [], [Failed(video, error)]

    monkeypatch.setattr(pipeline, "ready_batches", one_fails)
    due = due_videos(listed(catalogue, 3), OWNER, Settings(), None)
    return due, pipeline.work_through(due, Settings(), to_travel(Settings()))


@pytest.mark.slow
@pytest.mark.usefixtures("_here")
def test_a_failed_download_is_on_its_row(catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    due, ended = ended_with(VideoUnavailable("gone", reason="removed"), catalogue, monkeypatch)
    (row,) = catalogue.run(videos.find_videos, "v0")
    assert (row.reason, row.lease_owner) == ("removed", None)
    assert ended.stopped is None
    assert ended.published == []
    assert not due.is_over()


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("error", [StoreNotWritable("full"), SourceBlocked("429")])
def test_what_others_would_meet_too_ends_the_queue(
    error: ChannelscribeError, catalogue: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    due, ended = ended_with(error, catalogue, monkeypatch)
    (row,) = catalogue.run(videos.find_videos, "v0")
    machines = isinstance(error, StoreNotWritable)
    assert row.state == ("discovered" if machines else "retrying")
    assert row.lease_owner is None
    assert (ended.stopped is error) is machines
    assert due.is_over()
