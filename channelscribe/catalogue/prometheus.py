"""The figures of a library for Prometheus: read from the catalogue whenever they are asked for.

Needs a catalogue. Leaves nothing behind. Names end in their unit, as Prometheus wants it; counters are counts over all
rows, so they survive restarts, and fall when a video is taken down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from channelscribe.catalogue.states import State
from channelscribe.catalogue.stats import Figures, StageFigures

__all__ = ["LibraryCollector", "exposition"]

BY_STAGE: dict[str, tuple[str, Callable[[StageFigures], float | None]]] = {
    "channelscribe_stage_done_total": ("Tries of a stage that were done.", lambda stage: stage.done),
    "channelscribe_stage_failed_total": ("Tries of a stage that failed.", lambda stage: stage.failed),
    "channelscribe_stage_seconds_total": ("Seconds of work on a stage.", lambda stage: stage.seconds),
    "channelscribe_stage_peak_memory_bytes": (
        "The most resident memory that a worker had during a stage.",
        lambda stage: stage.peak_rss_bytes,
    ),
    "channelscribe_stage_real_time_factor": (
        "Seconds of video for each second of work on a stage, in the last 24 hours.",
        lambda stage: stage.real_time_factor,
    ),
}


class LibraryCollector:
    """Asks `read` for the figures at each scrape; what it raises is the scrape's error."""

    def __init__(self, read: Callable[[], Figures]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """All families; every state is there, with 0 too, so that alerts on absence work."""
        found = self._read()
        states = {state.value: found.states.get(state.value, 0) for state in State}
        yield _by("channelscribe_videos", "Videos by state.", "state", states.items())
        yield _by("channelscribe_failures", "Videos that failed, by reason code.", "reason", found.failures.items())
        yield _by("channelscribe_running", "Videos in work, by step.", "step", found.running.items())
        yield GaugeMetricFamily("channelscribe_due", "Videos that a run would take up now.", found.due)
        oldest = found.oldest_due_seconds
        yield GaugeMetricFamily("channelscribe_oldest_due_seconds", "How long the oldest due video has waited.", oldest)
        heard = found.transcribed_seconds
        yield GaugeMetricFamily("channelscribe_transcribed_seconds", "Seconds of audio that have a transcript.", heard)
        for name, (text, value) in BY_STAGE.items():
            told = [(stage.stage, value(stage)) for stage in found.stages]
            yield _by(name, text, "stage", [(stage, figure) for stage, figure in told if figure is not None])


def exposition(read: Callable[[], Figures]) -> bytes:
    """All figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LibraryCollector(read))
    return generate_latest(registry)


def _by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(name, text, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family
