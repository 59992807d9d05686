"""What stages took, and the figures that Prometheus reads."""

from __future__ import annotations

import mmap
from functools import partial

from prometheus_client.parser import text_string_to_metric_families

from channelscribe.catalogue import leases, stats, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.prometheus import exposition
from channelscribe.errors import VideoUnavailable
from channelscribe.speech.memory import peak_rss_bytes, reset_peak_rss
from tests.catalogue.records import OWNER, Video, published, spoken, with_videos

Samples = dict[tuple[str, str], float]


def scraped(catalogue: Database) -> Samples:
    """{(metric, the value of its one label or ""): sample}, as Prometheus' own parser reads it."""
    text = exposition(partial(catalogue.run, stats.figures)).decode()
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, next(iter(sample.labels.values()), "")): sample.value for sample in found}


def test_an_empty_library_has_figures(catalogue: Database) -> None:
    samples = scraped(catalogue)
    assert samples["channelscribe_videos", "published"] == 0
    assert samples["channelscribe_due", ""] == 0
    assert samples["channelscribe_transcribed_seconds", ""] == 0


def test_figures(catalogue: Database) -> None:
    published(catalogue, spoken("one", "two"), Video("done", duration=60.0))
    first, second, third = with_videos(catalogue, 3)
    catalogue.run(leases.claim, [first.id, second.id], OWNER, 60)
    catalogue.run(leases.renew, first.id, OWNER, 60, "download", 0.5)
    for video, outcome, seconds in ((first, "done", 20.0), (first, "unreachable", 5.0), (second, "done", 10.0)):
        catalogue.run(stats.record_stage, video.id, "download", outcome, seconds, 1 << 20, "host:1")
    catalogue.run(stats.record_stage, first.id, "prepare", "done", 2.0, 3 << 20, "host:1")
    catalogue.run(stats.record_stage, first.id, "prepare", "done", 1.0, 2 << 20, "host:1")
    catalogue.run(videos.record_failure, second.id, OWNER, VideoUnavailable("It is private.", reason="private"))

    samples = scraped(catalogue)
    assert samples["channelscribe_videos", "published"] == 1
    assert samples["channelscribe_failures", "private"] == 1
    assert samples["channelscribe_running", "download"] == 1
    assert samples["channelscribe_due", ""] == 1
    assert samples["channelscribe_oldest_due_seconds", ""] >= 0
    assert samples["channelscribe_transcribed_seconds", ""] == 4
    assert samples["channelscribe_stage_done_total", "download"] == 2
    assert samples["channelscribe_stage_failed_total", "download"] == 1
    assert samples["channelscribe_stage_seconds_total", "download"] == 35
    assert samples["channelscribe_stage_peak_memory_bytes", "prepare"] == 3 << 20
    # Two videos of a minute, in thirty seconds of work that was not in vain.
    assert samples["channelscribe_stage_real_time_factor", "download"] == 4
    # Done again, a video is not heard twice.
    assert samples["channelscribe_stage_real_time_factor", "prepare"] == 20
    assert third.state == "discovered"


def test_a_video_that_is_gone_is_no_error(catalogue: Database) -> None:
    catalogue.run(stats.record_stage, 12345, "download", "done", 1.0, 1, "host:1")
    assert catalogue.run(stats.figures).stages == []


def test_the_peak_begins_anew() -> None:
    with mmap.mmap(-1, 64 << 20) as held:  # what is freed goes back to the system, whatever malloc is told to keep
        held.write(b"x" * len(held))
        before = peak_rss_bytes()
    reset_peak_rss()
    assert 0 < peak_rss_bytes() < before
