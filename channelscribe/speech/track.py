"""The speech track in stretches, so that memory does not grow with its length.

Needs soundfile; `open_track` leaves the file closed. Ten hours as one array would be 2.3 GB.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import CorruptMedia

__all__ = ["Samples", "SpeechTrack", "as_track", "cut", "open_track"]

Samples = NDArray[np.float32]
"""Mono audio at 16 kHz, shape (n,), -1 to 1."""


class SpeechTrack(Protocol):
    """Something that knows how many samples it has and gives any stretch of them."""

    @property
    def samples(self) -> int:
        """Its length at 16 kHz."""
        ...

    def read(self, first: int, last: int) -> Samples:
        """The samples first <= i < last; fewer at the end of the track."""
        ...


class _InMemory:
    def __init__(self, audio: Samples) -> None:
        self._audio = audio
        self.samples = len(audio)

    def read(self, first: int, last: int) -> Samples:
        return self._audio[max(0, first) : max(0, last)]


class _InFile:
    """One open file; reads are serialized, because the position is the file's."""

    def __init__(self, file: soundfile.SoundFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.samples = int(file.frames)

    def read(self, first: int, last: int) -> Samples:
        first, last = min(max(0, first), self.samples), min(max(0, last), self.samples)
        if last <= first:
            return np.zeros(0, np.float32)
        with self._lock:
            try:
                if self._file.tell() != first:
                    self._file.seek(first)
                found: Samples = self._file.read(last - first, dtype="float32")
            except soundfile.SoundFileError as error:
                raise CorruptMedia(
                    f"The speech track cannot be read at {first / SAMPLE_RATE:.1f} s ({error})."
                ) from error
        if len(found) < last - first:
            raise CorruptMedia(f"The speech track ends at {(first + len(found)) / SAMPLE_RATE:.1f} s, before its end.")
        return found


@contextmanager
def open_track(path: Path) -> Iterator[SpeechTrack]:
    """A 16 kHz mono FLAC file to read from in stretches. Raises CorruptMedia for anything else."""
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, OSError) as error:
        raise CorruptMedia(f"The speech track {path.name} cannot be read ({error}).") from error
    with file:
        if file.samplerate != SAMPLE_RATE or file.channels != 1:
            raise CorruptMedia(f"The speech track {path.name} is not 16 kHz mono.", remedy="Prepare the audio again.")
        yield _InFile(file)


def as_track(audio: Samples | SpeechTrack) -> SpeechTrack:
    """An array as a track; a track as it is."""
    return _InMemory(audio) if isinstance(audio, np.ndarray) else audio


def cut(track: SpeechTrack, start: float, end: float) -> Samples:
    """The stretch from `start` to `end` seconds, cut to whole samples as WhisperX does."""
    return track.read(int(start * SAMPLE_RATE), int(end * SAMPLE_RATE))
