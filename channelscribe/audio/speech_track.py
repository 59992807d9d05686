"""The track that is transcribed: 16 kHz mono 16-bit FLAC, on the original video's timeline."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile  # type: ignore[import-untyped]

from channelscribe.errors import CorruptMedia, StoreNotWritable

__all__ = ["SAMPLE_RATE", "cut_speech", "read_speech", "read_window", "speech_seconds"]

_BLOCK_FRAMES = 1 << 18  # 16 s at once, whatever the length
_UNKNOWN_FRAMES = 1 << 62  # libsndfile's number for a header without one is 2**63 - 1
SAMPLE_RATE = 16_000  # hertz; what the recognizer, the aligner and the diarizer are trained on


def read_speech(path: Path) -> npt.NDArray[np.float32]:
    """The samples, shape (n,), -1 to 1, at 16 kHz. Raises CorruptMedia for anything but a whole speech track."""
    try:
        samples, rate = soundfile.read(path, dtype="float32")
    except (soundfile.SoundFileError, OSError) as error:
        raise CorruptMedia(f"The speech track {path.name} cannot be read ({error}).") from error
    if rate != SAMPLE_RATE or samples.ndim != 1:
        raise CorruptMedia(f"The speech track {path.name} is not 16 kHz mono.", remedy="Prepare the audio again.")
    speech: npt.NDArray[np.float32] = samples
    return speech


def speech_seconds(path: Path) -> float:
    """Its length in seconds, exact to the sample, from the header. Raises CorruptMedia."""
    try:
        info = soundfile.info(path)
    except (soundfile.SoundFileError, OSError) as error:
        raise CorruptMedia(f"The speech track {path.name} cannot be read ({error}).") from error
    # A FLAC that says nothing of its length has none: ffmpeg writes it when not a sample came.
    return float(info.frames / info.samplerate) if info.frames < _UNKNOWN_FRAMES else 0.0


def read_window(path: Path, start: float, end: float) -> npt.NDArray[np.float32]:
    """The samples from `start` to `end` (seconds) alone, shape (n,). Raises CorruptMedia."""
    try:
        with soundfile.SoundFile(path) as track:
            first = min(max(round(start * SAMPLE_RATE), 0), track.frames)
            track.seek(first)
            samples: npt.NDArray[np.float32] = track.read(max(round(end * SAMPLE_RATE) - first, 0), dtype="float32")
            return samples
    except (soundfile.SoundFileError, OSError) as error:
        raise CorruptMedia(f"The speech track {path.name} cannot be read ({error}).") from error


def cut_speech(source: Path, target: Path, start: float, end: float) -> None:
    """Writes the seconds from `start` to `end` as a track of their own: the same samples, block by block.

    Raises CorruptMedia, StoreNotWritable.
    """
    try:
        with soundfile.SoundFile(source) as whole:
            whole.seek(round(start * SAMPLE_RATE))
            left = round(end * SAMPLE_RATE) - whole.tell()
            with soundfile.SoundFile(target, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as part:
                while left > 0 and len(block := whole.read(min(left, _BLOCK_FRAMES), dtype="int16")):
                    part.write(block)
                    left -= len(block)
    except (soundfile.SoundFileError, AssertionError) as error:  # the latter for a block that was not all written
        if shutil.disk_usage(target.parent).free < _BLOCK_FRAMES * 2:
            raise StoreNotWritable(f"{target.parent}: the disk is full.", remedy="Free disk space.") from error
        raise CorruptMedia(f"The speech track {source.name} cannot be cut ({error}).") from error
    except OSError as error:
        raise StoreNotWritable(
            f"{target.name} cannot be written: {error.strerror}.", remedy="Free disk space."
        ) from error
