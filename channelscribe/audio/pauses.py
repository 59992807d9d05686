"""Where to cut a long track: at chapters, at fixed lengths, or in pauses, so that no part is too long.

Three ways to a pause, each only where the one before it found none: the silences that ffmpeg told while it decoded;
a voice activity detector (if asked for) on the minutes around the cut, for speech over music; the quietest half
second by pydub on the same minutes. Reads at most a few minutes of the speech track at once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from channelscribe.audio.speech_track import SAMPLE_RATE, read_window
from channelscribe.audio.timeline import Stretch
from channelscribe.errors import StackError
from channelscribe.settings.audio import SplitOptions

__all__ = ["Chapter", "PauseFinder", "parts_of"]

Chapter = tuple[float, str]
"""(start in seconds, title)."""

_SHORTEST_PART = 1.0  # seconds; cuts closer to an end or to each other would leave crumbs
_QUIET_MS, _QUIET_STEP_MS = 500, 50
_SHORTEST_VAD_PAUSE_MS = 200


class PauseFinder:
    """Answers with the best second to cut inside a window, from a track's silences and, where needed, its sound."""

    def __init__(self, speech: Path, silences: Sequence[Stretch], vad: bool) -> None:
        self._speech, self._silences, self._vad = speech, silences, vad

    def best(self, low: float, high: float, wanted: float) -> float:
        """The middle of the longest pause in [low, high], the nearest to `wanted` of several; else the quietest."""
        pauses = _inside(self._silences, low, high)
        if not pauses and self._vad:
            pauses = _inside(self._without_voice(low, high), low, high)
        if not pauses:
            return self._quietest(low, high)
        longest = max(end - start for start, end in pauses)
        good = [(start + end) / 2 for start, end in pauses if end - start >= longest / 2]
        return min(good, key=lambda middle: abs(middle - wanted))

    def _without_voice(self, low: float, high: float) -> Iterator[Stretch]:
        """Pauses by Silero's detector, which comes with faster-whisper as ONNX: no torch is loaded."""
        try:
            from faster_whisper.vad import VadOptions, get_speech_timestamps
        except ImportError as error:
            raise StackError(
                "audio.split.vad needs a voice activity detector, and there is none.",
                remedy="pip install 'channelscribe[speech]', or set audio.split.vad to false.",
            ) from error
        samples = read_window(self._speech, low, high)
        options = VadOptions(min_silence_duration_ms=_SHORTEST_VAD_PAUSE_MS, speech_pad_ms=0)
        last = 0
        for speech in [*get_speech_timestamps(samples, options), {"start": len(samples), "end": len(samples)}]:
            if speech["start"] > last:
                yield low + last / SAMPLE_RATE, low + speech["start"] / SAMPLE_RATE
            last = speech["end"]

    def _quietest(self, low: float, high: float) -> float:
        """The middle of the quietest half second, by pydub's RMS."""
        sound = _segment(read_window(self._speech, low, high))
        if len(sound) <= _QUIET_MS:
            return (low + high) / 2
        starts = range(0, len(sound) - _QUIET_MS + 1, _QUIET_STEP_MS)
        quietest = min(starts, key=lambda start: sound[start : start + _QUIET_MS].rms)
        return low + (quietest + _QUIET_MS / 2) / 1000


def parts_of(
    whole: Stretch, options: SplitOptions, best: Callable[[float, float, float], float], chapters: Sequence[Chapter]
) -> list[tuple[Stretch, str | None]]:
    """The parts of `whole`, one after the other and without gaps, with their chapter's title; at least one.

    None is longer than `max_minutes`, cuts are whole milliseconds. Chapters that are longer, and everything where the
    site gives no chapters, are cut at silences.
    """
    longest = options.max_minutes * 60
    marks = [(whole[0], None), *_marks(whole, chapters)] if options.at == "chapters" else [(whole[0], None)]
    ends = [start for start, _ in marks[1:]] + [whole[1]]
    parts: list[tuple[Stretch, str | None]] = []
    for (start, title), end in zip(marks, ends, strict=True):
        if end <= start:
            continue
        cuts = [start, *_cuts(start, end, longest, options, best), end]
        parts += [((low, high), title) for low, high in pairwise(cuts)]
    return parts


def _marks(whole: Stretch, chapters: Sequence[Chapter]) -> Iterator[tuple[float, str | None]]:
    """Where chapters start inside `whole`; the one that runs when it begins starts there."""
    last = whole[0]
    for mark, title in sorted(chapters):
        start = round(mark, 3) if mark >= whole[0] + _SHORTEST_PART else whole[0]
        if start == whole[0] or last + _SHORTEST_PART <= start <= whole[1] - _SHORTEST_PART:
            last = start
            yield start, title


def _cuts(
    start: float, end: float, longest: float, options: SplitOptions, best: Callable[[float, float, float], float]
) -> Iterator[float]:
    """Where to cut, in order: about even parts in pauses, or every `longest` seconds."""
    while end - start > longest:
        wanted = start + (longest if options.at == "length" else (end - start) / math.ceil((end - start) / longest))
        if options.at == "length":
            start = round(wanted, 3)
        else:
            reach = min(options.search_seconds, (wanted - start) / 2)
            high = math.floor(min(wanted + reach, start + longest, end - _SHORTEST_PART) * 1000) / 1000
            start = min(round(best(wanted - reach, high, wanted), 3), high)
        yield start


def _inside(stretches: Sequence[Stretch] | Iterator[Stretch], low: float, high: float) -> list[Stretch]:
    cut = ((max(start, low), min(end, high)) for start, end in stretches)
    return [(start, end) for start, end in cut if end > start]


def _segment(samples: npt.NDArray[np.float32]) -> Any:
    """A pydub AudioSegment. Its import warns of an ffmpeg that it does not find: none is needed for samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pydub import AudioSegment  # type: ignore[import-untyped]
    data = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    return AudioSegment(data, sample_width=2, frame_rate=SAMPLE_RATE, channels=1)
