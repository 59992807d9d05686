"""The track that is transcribed: 16 kHz mono 16-bit FLAC, on the original video's timeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile  # type: ignore[import-untyped]

from channelscribe.errors import CorruptMedia

__all__ = ["SAMPLE_RATE", "read_speech", "speech_seconds"]

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
    return float(info.frames / info.samplerate)
