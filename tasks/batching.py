"""Looking at futures: what is ready, and how a chain of steps ended. One bad video never stops the others."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import httpx
from prefect.futures import PrefectFuture

from channelscribe.errors import ChannelscribeError, EngineDied, ObjectMissing, StoreUnreachable, Then, WorkerDied
from channelscribe.preflight import one_object_only
from tasks.queue import AGAIN_SECONDS, VideoQueue
from tasks.records import PreparedAudio, VideoWork
from tasks.resources import store

__all__ = ["Chain", "Failed", "Work", "failure_of", "ready_batches", "settle", "stops_source"]

LINGER_SECONDS = 1.0
POLL_SECONDS = 0.1
FIRST = 2
ENGINE_TRIES = 2
ENGINE_REMEDY = "Look into the logs of Dask and of the laptop stack; the same command goes on where this one was."
WINDOW = 32
"""Videos that are fetched and prepared ahead of transcription. A channel's thousands would flood the engines."""

Chain = Sequence[PrefectFuture[Any]]
Work = tuple[VideoWork, PreparedAudio]


class Failed(NamedTuple):
    """A video that a run did not get through."""

    video: VideoWork
    error: Exception


def failure_of(chain: Chain) -> Exception | None:
    """The error of the first step that did not complete; None when all did. Waits for the chain to end.

    Looks at every future itself: waiting on the last one hides what happened before it.
    """
    for future in chain:
        while not _has_ended(future):
            time.sleep(POLL_SECONDS)
        lost = _lost(future)
        if lost is not None:
            return lost
        future.wait()
        state = future.state
        if not state.is_completed():
            result = state.result(raise_on_failure=False)
            return result if isinstance(result, Exception) else RuntimeError(state.message or state.name)
    return None


def _lost(future: PrefectFuture[Any]) -> Exception | None:
    """Whose it is that Dask has no answer: the step's, which kills each worker, or that of what runs the steps."""
    wrapped: Any = getattr(future, "wrapped_future", None)
    if wrapped is None or wrapped.status == "finished":
        return None
    from distributed.scheduler import KilledWorker  # loaded by now: `wrapped` is a future of its client

    error = wrapped.exception() if wrapped.status == "error" else None
    if isinstance(error, KilledWorker):
        return WorkerDied(
            "The worker died during a step, as often as it was tried.",
            remedy="See the worker's log; it may need more memory.",
        )
    if error is None or isinstance(error, OSError | httpx.TransportError | CancelledError):
        told = f"{type(error).__name__}: {error}" if error else f"the step is {wrapped.status}"
        return EngineDied(f"What runs the steps went away ({told}).", remedy=ENGINE_REMEDY)
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def stops_source(error: Exception) -> bool:
    """Whether a failure says that the site is to be left alone."""
    return isinstance(error, ChannelscribeError) and error.then is Then.STOP_SOURCE


def settle(chain: Chain, again: Callable[[], Chain]) -> tuple[Chain, Exception | None]:
    """How a chain ended; one whose worker or engine died, or which the store lost, is started again, with `again`.

    Dask blames a worker's death on everything that was queued there. Started again one after the other, only the
    video that kills its worker fails. An engine's death is nobody's, however often. What went from the store between
    two steps is made again by the steps before.
    """
    error = failure_of(chain)
    for kind, tries in ((WorkerDied, 1), (ObjectMissing, 1), (EngineDied, ENGINE_TRIES)):
        while isinstance(error, kind) and tries:
            tries -= 1
            chain = again()
            error = failure_of(chain)
    return chain, one_object_only(error, store()) if isinstance(error, StoreUnreachable) else error


def ready_batches(
    queue: VideoQueue, start: Callable[[VideoWork], Chain], minutes: float, window: int = WINDOW
) -> Iterator[tuple[list[Work], list[Failed]]]:
    """Yield what got ready since the last time: up to `minutes` of audio, and what failed.

    `start` starts the chain of a video, which ends in a future of PreparedAudio. While the caller works on a batch the
    others go on, at most `window` of them; until one has come through, which shows that this machine can do it, two.
    """
    waiting: dict[int, tuple[VideoWork, Chain]] = {}
    trying = True
    while True:
        room = min(window, FIRST if trying else window)
        waiting |= {video.pk: (video, start(video)) for video in queue.next(room - len(waiting))}
        if not waiting:
            if queue.is_over():
                return
            time.sleep(AGAIN_SECONDS)
            continue
        batch: list[Work] = []
        failed: list[Failed] = []
        seconds = 0.0
        done = _first_done(waiting, 0.0 if trying else LINGER_SECONDS)
        if trying and any(failure_of(waiting[pk][1]) is None for pk in done):
            trying = False
            continue
        for pk in done:
            video, first = waiting[pk]
            chain, error = settle(first, partial(start, video))
            if error is not None:
                del waiting[pk]
                failed.append(Failed(video, error))
                continue
            audio = chain[-1].result()
            if batch and seconds + audio.seconds > minutes * 60:
                break
            seconds += audio.seconds
            del waiting[pk]
            batch.append((video, audio))
        yield batch, failed


def _first_done(waiting: dict[int, tuple[VideoWork, Chain]], linger: float) -> list[int]:
    """Those whose last step has ended; lingers so many seconds after the first, so that batches are not of one."""
    first: float | None = None
    while True:
        done = [pk for pk, (_, chain) in waiting.items() if _has_ended(chain[-1])]
        if done and first is None:
            first = time.monotonic()
        if len(done) == len(waiting) or (first is not None and time.monotonic() - first >= linger):
            return done
        time.sleep(POLL_SECONDS)


def _has_ended(future: PrefectFuture[Any]) -> bool:
    """Whether there is, or will be, nothing more to wait for: a client that has closed itself gets no answers."""
    wrapped: Any = getattr(future, "wrapped_future", None)
    if wrapped is None:
        return future.state.is_final()
    return bool(wrapped.done()) or wrapped.client.status in ("closing", "closed")
