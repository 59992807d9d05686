"""How chains end, and what follows: whose a death is, and two videos until one has come through.

The futures are stand-ins for Prefect's, with what is looked at; `tests/tasks/test_engine.py` has real ones.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from distributed.scheduler import KilledWorker
from prefect.states import Completed, Failed

from channelscribe.errors import (
    EngineDied,
    NoMedia,
    ObjectMissing,
    ProgramFailed,
    StoreError,
    StoreUnreachable,
    WorkerDied,
    stops_run,
)
from channelscribe.store import MediaStore
from tasks import batching
from tasks.batching import Chain, failure_of, ready_batches, settle
from tasks.records import PreparedAudio, VideoWork

AUDIO = PreparedAudio(
    source_sha256="0", speech_sha256="0", archive_key="a", speech_key="s", seconds=60, format_id="f", bytes=1,
    loudness=None, options_key="o",
)  # fmt: skip


@dataclass
class Client:
    status: str = "running"


@dataclass
class DaskFuture:
    status: str = "finished"
    error: BaseException | None = None
    client: Client = field(default_factory=Client)

    def exception(self) -> BaseException | None:
        assert self.status == "error"  # of a cancelled one it waits for ever
        return self.error

    def done(self) -> bool:
        return self.status != "pending"


@dataclass
class Future:
    error: Exception | None = None
    wrapped_future: DaskFuture = field(default_factory=DaskFuture)

    def wait(self) -> None:
        pass

    @property
    def state(self) -> Any:
        return Completed(data=AUDIO) if self.error is None else Failed(data=self.error)

    def result(self) -> PreparedAudio:
        return AUDIO


def chain(*futures: Future) -> Chain:
    return futures  # type: ignore[return-value]


def lost(status: str, error: BaseException | None = None) -> Chain:
    return chain(Future(), Future(wrapped_future=DaskFuture(status, error)))


KILLED = KilledWorker("recognize", None, 3)


@pytest.mark.parametrize(
    ("ended", "kind"),
    [
        (lost("error", KILLED), WorkerDied),
        (lost("cancelled"), EngineDied),
        (lost("lost"), EngineDied),
        (lost("error", OSError("Timed out trying to connect to tcp://127.0.0.1:1")), EngineDied),
        (lost("error", httpx.ConnectError("the Prefect server is away")), EngineDied),
        (lost("error", ValueError("a bug")), ValueError),
        (chain(Future(NoMedia("nothing"))), NoMedia),
    ],
)
def test_whose_a_death_is(ended: Chain, kind: type[Exception]) -> None:
    assert type(failure_of(ended)) is kind


@pytest.mark.parametrize("client", ["closing", "closed"])
def test_a_client_that_closed_itself_is_not_waited_for(client: str) -> None:
    waiting = chain(Future(wrapped_future=DaskFuture("pending", client=Client(client))))
    assert isinstance(failure_of(waiting), EngineDied)


def test_the_first_failure_counts() -> None:
    no_media = NoMedia("nothing")
    assert failure_of(chain(Future(), Future(no_media), Future(RuntimeError("after it")))) is no_media
    assert failure_of(chain(Future(), Future())) is None


def test_what_failed_by_itself_is_not_tried_again() -> None:
    failed = chain(Future(NoMedia("nothing")))
    assert isinstance(settle(failed, lambda: pytest.fail("tried again"))[1], NoMedia)


def test_what_went_from_the_store_is_made_again() -> None:
    again, count = repeating(chain(Future()))
    assert settle(chain(Future(ObjectMissing("gone"))), again)[1] is None
    assert count == [1]


def repeating(*ends: Chain) -> tuple[Callable[[], Chain], list[int]]:
    left, count = list(ends), [0]

    def again() -> Chain:
        count[0] += 1
        return left.pop(0)

    return again, count


def test_a_scheduler_that_dies_twice_is_nobodys() -> None:
    again, count = repeating(lost("cancelled"), chain(Future()))
    assert settle(lost("cancelled"), again)[1] is None
    assert count == [2]
    again, count = repeating(*[lost("cancelled")] * 9)
    error = settle(lost("cancelled"), again)[1]
    assert type(error) is EngineDied and stops_run(error) and count == [batching.ENGINE_TRIES]
    assert "memory" not in str(error)


def test_a_video_that_kills_each_worker_fails_alone() -> None:
    again, count = repeating(*[lost("error", KILLED)] * 9)
    error = settle(lost("error", KILLED), again)[1]
    assert type(error) is WorkerDied and not stops_run(error) and count == [1]


def test_a_store_that_fails_for_one_video(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    media = MediaStore(str(tmp_path / "library"))
    monkeypatch.setattr(batching, "store", lambda: media)
    failing = chain(Future(StoreUnreachable("503 Slow Down")))
    error = settle(failing, lambda: failing)[1]
    assert type(error) is StoreError and not stops_run(error)
    (tmp_path / "other").write_text("")
    media = MediaStore(str(tmp_path / "other"))
    error = settle(failing, lambda: failing)[1]
    assert type(error) is StoreUnreachable and stops_run(error)


class Queue:
    """Gives ten videos, and remembers."""

    def __init__(self) -> None:
        self.given = 0
        self.stopped = False

    def next(self, count: int) -> list[VideoWork]:
        count = 0 if self.stopped else min(count, 10 - self.given)
        self.given += count
        return [
            VideoWork(pk=pk, site="s", video_id=str(pk), url="", title="", channel="", owner="me")
            for pk in range(self.given - count, self.given)
        ]

    def is_over(self) -> bool:
        return self.stopped or self.given == 10


def test_until_one_has_come_through_two_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LINGER_SECONDS", 0.0)
    queue, failed = Queue(), []
    broken = ProgramFailed("ffmpeg was killed (SIGKILL).")
    for batch, lost_ones in ready_batches(queue, lambda video: chain(Future(broken)), 60):  # type: ignore[arg-type]
        assert batch == []
        failed += lost_ones
        queue.stopped = any(stops_run(error) for _, error in lost_ones)
    assert (queue.given, len(failed)) == (2, 2)


def test_then_all_that_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LINGER_SECONDS", 0.0)
    queue = Queue()
    batches = [batch for batch, _ in ready_batches(queue, lambda video: chain(Future()), 60, window=6)]  # type: ignore[arg-type]
    assert [len(batch) for batch in batches] == [6, 4]  # the first two wait for the others: batches are not small


def test_bad_videos_do_not_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LINGER_SECONDS", 0.0)
    queue, seen = Queue(), []

    def start(video: VideoWork) -> Chain:
        return chain(Future(NoMedia("nothing") if video.pk < 4 else None))

    for batch, failed in ready_batches(queue, start, 60):  # type: ignore[arg-type]
        seen.append((queue.given, len(batch), len(failed)))
    assert seen == [(2, 0, 2), (4, 0, 2), (10, 6, 0)]


def test_a_pickled_failure_holds_no_cause() -> None:
    """Prefect keeps failures pickled, and tblib, which comes with Dask, would add what a site said, in full."""
    import tasks.dask_cluster  # noqa: F401

    error = NoMedia("nothing")
    error.__cause__ = ValueError("https://user:secret@example.org")
    kept = pickle.dumps(error)
    assert b"secret" not in kept
    assert pickle.loads(kept).reason == error.reason
