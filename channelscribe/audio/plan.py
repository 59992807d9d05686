"""The steps `trim` and `split`, in their order, as stretches of the original: nothing is cut yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from channelscribe.audio.pauses import Chapter, PauseFinder, parts_of
from channelscribe.audio.silences import trimmed
from channelscribe.audio.timeline import Stretch
from channelscribe.settings.audio import AudioOptions

__all__ = ["Cuts", "Track", "cuts", "is_cut", "needs_silences", "uses_chapters"]

Track = Literal["speech", "archive"]


@dataclass(frozen=True, slots=True)
class Cuts:
    """One track's stretches: the whole file's, and its parts' with their chapter's title (none, or two or more)."""

    whole: Stretch
    parts: tuple[tuple[Stretch, str | None], ...] = ()


def is_cut(step: Literal["trim", "split"], track: Track, options: AudioOptions) -> bool:
    """Whether a step is configured, and for this track."""
    section = options.trim if step == "trim" else options.split
    return step in options.steps and section.of in (track, "both")


def needs_silences(options: AudioOptions) -> bool:
    return "trim" in options.steps or ("split" in options.steps and options.split.at != "length")


def uses_chapters(options: AudioOptions) -> bool:
    return "split" in options.steps and options.split.at == "chapters"


def cuts(
    track: Track,
    seconds: float,
    options: AudioOptions,
    silences: list[Stretch],
    finder: PauseFinder,
    chapters: Sequence[Chapter],
) -> Cuts:
    """What becomes of a track of so many seconds."""
    whole: Stretch = (0.0, seconds)
    parts: list[tuple[Stretch, str | None]] = []
    for step in options.steps:
        if step == "trim" and is_cut("trim", track, options):
            keep = options.trim.keep_seconds
            if parts:
                parts = [(trimmed(stretch, silences, keep), title) for stretch, title in parts]
            else:
                whole = trimmed(whole, silences, keep)
        elif step == "split" and is_cut("split", track, options):
            found = parts_of(whole, options.split, finder.best, chapters)
            parts = found if len(found) > 1 else []
    return Cuts(whole, tuple(parts))
