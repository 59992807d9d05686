"""Signs of life: a step renews its video's lease and tells how far it is; a run renews all that it holds."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from channelscribe.catalogue import leases, stats, videos
from channelscribe.errors import CatalogueUnreachable, ChannelscribeError, Then, as_ours
from channelscribe.speech.memory import peak_rss_bytes, reset_peak_rss
from tasks.artifacts import bar, progress_key
from tasks.records import VideoWork
from tasks.resources import catalogue, own_settings

Report = Callable[[float | None], None]
REPORT_SECONDS = 0.5


@contextmanager
def step(video: VideoWork, name: str, *, recorded: bool = True) -> Iterator[Report]:
    """Run a step under the video's lease. The yielded function takes the fraction done (0 to 1).

    Raises LeaseLost, at the start or at any report, when somebody else has the video by now. What the step took is
    kept, whether it was done or not, unless it is not to be `recorded`: it may find that there is nothing to do. One
    that takes long has a bar in the UI.
    """
    seconds = own_settings().lease_seconds
    catalogue().run(leases.renew, video.pk, video.owner, seconds, name, 0.0)
    last = time.monotonic()
    shown = bar(progress_key(name, video.site, video.video_id), f"{name} {video.video_id}")

    def report(fraction: float | None) -> None:
        nonlocal last
        fill(fraction)
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            catalogue().run(leases.renew, video.pk, video.owner, seconds, name, fraction)

    with record_stage(video, name) if recorded else nullcontext(), shown as fill:
        try:
            yield report
        except Exception as error:
            if as_ours(error).then is Then.STOP_RUN:  # before the next step on this worker starts
                stop_run(video, error)
            raise


@contextmanager
def record_stage(video: VideoWork, stage: str) -> Iterator[None]:
    """Keep the seconds and the most memory of a stage; failing at that never fails the stage."""
    begun = time.monotonic()
    # With several stages in this process at once, each has the peak since the last of them began.
    reset_peak_rss()
    outcome = "done"
    try:
        yield
    except Exception as error:
        outcome = error.reason if isinstance(error, ChannelscribeError) else "internal"
        raise
    finally:
        try:
            seconds = time.monotonic() - begun
            worker = f"{platform.node()}:{os.getpid()}"
            catalogue().run(stats.record_stage, video.pk, stage, outcome, seconds, peak_rss_bytes(), worker)
        except ChannelscribeError as error:
            logging.getLogger(__name__).warning("what %s took is not kept: %s", stage, error)


@contextmanager
def kept_leases(owner: str) -> Iterator[None]:
    """Renew every lease of `owner` in the background, then give back what is left.

    Steps wait in queues for hours: their own reports come too late for that.
    """
    seconds = own_settings().lease_seconds
    over = threading.Event()

    def renew() -> None:
        while not over.wait(seconds / 3):
            try:
                catalogue().run(leases.renew_all, owner, seconds)
            except CatalogueUnreachable:
                continue  # the next round may find it again; the lease is three rounds long

    thread = threading.Thread(target=renew, name="leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        give_back_all(owner)


def stop_run(video: VideoWork, error: Exception) -> None:
    """The machine failed at a video: that one comes last from now on, and the run gives back all that it holds."""
    catalogue().run(videos.record_failure, video.pk, video.owner, error)
    give_back_all(video.owner)


def give_back_all(owner: str) -> int:
    """Give back every lease of a run; its steps that have not begun find theirs gone, and do nothing."""
    return catalogue().run(leases.release_all, owner)
