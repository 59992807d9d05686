"""Where somebody speaks: the voice activity detector over a track of any length, and chunks for the recognizer.

Needs numpy, and the detector is given. Leaves nothing behind. The network and the rules are those of WhisperX
(`whisperx.vads.pyannote`), so with its windows the chunks are the same; but the audio is read in stretches and only one
number a frame is kept (1 MB an hour), where WhisperX holds the whole file and every window's scores. WhisperX hears
every moment in ten windows of 5 s; two cost less, and are wrong no more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.speech.memory import in_batches
from channelscribe.speech.progress import Progress
from channelscribe.speech.threads import in_threads
from channelscribe.speech.track import SpeechTrack

__all__ = ["Activity", "Chunk", "Hearing", "chunks", "listen", "stretches"]

_BATCH = 32  # windows at once
_PART = 16  # windows that a core takes at once: more do not fit into its cache
_SHORTEST = 1e-6  # seconds; pyannote.core drops what is shorter

Stretch = tuple[float, float]
"""Start and end in seconds."""


class Hearing(Protocol):
    """A detector (`detector`): windows of `duration` seconds, `step` apart unless told otherwise."""

    @property
    def duration(self) -> float: ...
    @property
    def step(self) -> float: ...
    @property
    def frames(self) -> Any:
        """`step` and `duration` of a frame, in seconds."""

    def infer(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows (n, samples) to how likely somebody speaks (n, frames)."""


@dataclass(frozen=True)
class Activity:
    """How likely speech is: `scores` of shape (frames,), 0 to 1, a frame of `duration` every `step` seconds."""

    scores: NDArray[np.float32]
    step: float
    duration: float

    def middle(self, frame: int) -> float:
        """Seconds at the middle of a frame."""
        start = self.step * frame
        return 0.5 * (start + (start + self.duration))  # rounded as pyannote.core rounds it


@dataclass(frozen=True)
class Chunk:
    """What the recognizer is given at once, in seconds, and the stretches of speech in it."""

    start: float
    end: float
    speech: tuple[Stretch, ...]

    @property
    def speech_seconds(self) -> float:
        return sum(end - start for start, end in self.speech)


def listen(
    detector: Hearing, track: SpeechTrack, report: Progress, threads: int = 0, step_share: float | None = None
) -> Activity:
    """The detector's scores for the whole track.

    Overlapping windows are averaged under a Hamming window, as pyannote's `Inference.aggregate` does. `step_share` is
    their distance as a share of one, the detector's own where it is None. `threads` are the cores that share the work;
    0: the device does it all at once, as a GPU should.
    """
    distance = detector.step if step_share is None else step_share * detector.duration
    window, step = round(detector.duration * SAMPLE_RATE), round(distance * SAMPLE_RATE)
    frame = detector.frames
    whole = 0 if track.samples < window else (track.samples - window) // step + 1
    padded = track.samples < window or (track.samples - window) % step > 0
    windows = whole + padded
    length = round((detector.duration + (windows - 1) * distance) / frame.step) + 1
    total, weight = np.zeros(length, np.float32), np.zeros(length, np.float32)

    def scores_of(numbers: Sequence[int]) -> Sequence[NDArray[np.float32]]:
        audio = track.read(numbers[0] * step, numbers[-1] * step + window)
        audio = np.pad(audio, (0, (numbers[-1] - numbers[0]) * step + window - len(audio)))
        views = np.lib.stride_tricks.sliding_window_view(audio, window)[::step]
        if not threads:
            return list(detector.infer(views))
        parts = [views[first : first + _PART] for first in range(0, len(views), _PART)]
        return [scores for part in in_threads(detector.infer, parts, threads) for scores in part]

    for number, scores in enumerate(in_batches(range(windows), max(_BATCH, 2 * threads * _PART), scores_of)):
        hamming = np.hamming(len(scores))
        first = round(number * distance / frame.step)
        total[first : first + len(scores)] += scores * hamming
        weight[first : first + len(scores)] += hamming
        report((number + 1) / windows)
    if padded:  # frames that begin after the audio has ended
        length = min(length, int(track.samples / SAMPLE_RATE / frame.step) + 1)
    scores = (total / np.maximum(weight, 1e-12))[:length].astype(np.float32)
    return Activity(scores, frame.step, frame.duration)


def stretches(activity: Activity, onset: float, offset: float, longest: float) -> list[Stretch]:
    """Speech begins above `onset` and ends below `offset`; what is longer than `longest` seconds is cut where it
    is least likely speech, in its second half (the min-cut of Bain et al., "WhisperX", 2023).
    """
    scores = activity.scores.tolist()
    if not scores:
        return []
    found: list[Stretch] = []
    start, speaking = activity.middle(0), scores[0] > onset
    held = [0]  # frames since the start, as WhisperX keeps them: the frame that ended the last stretch is the first
    for frame in range(1, len(scores)):
        if not speaking:
            if scores[frame] > onset:
                start, speaking = activity.middle(frame), True
            continue
        now = activity.middle(frame)
        if now - start > longest:
            half = len(held) // 2
            least = min(range(half, len(held)), key=lambda place: scores[held[place]])
            found.append((start, activity.middle(held[least])))
            start, held = activity.middle(held[least]), held[least + 1 :]
        elif scores[frame] < offset:
            found.append((start, now))
            speaking, held = False, []
        held.append(frame)
    if speaking:
        found.append((start, activity.middle(len(scores) - 1)))
    return [(a, b) for a, b in found if b - a > _SHORTEST]


def chunks(found: Sequence[Stretch], longest: float, seconds: float) -> list[Chunk]:
    """Joins stretches to chunks of at most `longest` seconds, none past `seconds`, the end of the audio."""
    joined: list[list[Stretch]] = []
    for stretch in found:
        if joined and stretch[1] - joined[-1][0][0] <= longest:
            joined[-1].append(stretch)
        else:
            joined.append([stretch])
    # The detector's last window is padded: it may end after the audio does.
    return [
        Chunk(parts[0][0], min(parts[-1][1], seconds), tuple((a, min(b, seconds)) for a, b in parts if a < seconds))
        for parts in joined
        if parts[0][0] < seconds
    ]
