"""Sounds that nobody says (music, noise, tones), and encoding; all of it 16 kHz mono float32 in [-1, 1].

Encoding needs the ffmpeg of the `imageio-ffmpeg` wheel and gives the same bytes for the same samples.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

SAMPLE_RATE = 16000

_CODECS = {
    ".mp3": ("-c:a", "libmp3lame", "-b:a", "48k"),
    ".m4a": ("-c:a", "aac", "-b:a", "48k", "-movflags", "+faststart"),
    ".opus": ("-c:a", "libopus", "-b:a", "40k"),
}
# Two bars of A minor, F, C and G, as semitones from A3 (220 Hz).
_CHORDS = ((0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5))
_BEAT = 0.3  # seconds


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def noise(seconds: float, rng: np.random.Generator, level: float = 0.03) -> np.ndarray:
    """White noise, ``level`` its root mean square."""
    return np.asarray(level * rng.standard_normal(round(seconds * SAMPLE_RATE)), np.float32)


def tones(seconds: float) -> np.ndarray:
    """A station's three falling tones; an octave lower, pyannote's VAD hears a voice in them."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    frequencies = np.array([1568.0, 1318.5, 1046.5])[(times % 1.8 // 0.6).astype(int)]
    samples = 0.15 * np.sin(2 * np.pi * frequencies * times) * np.exp(-4 * (times % 0.6))
    return np.asarray(samples, np.float32)


def music(seconds: float) -> np.ndarray:
    """Broken chords over held ones, faded in and out; pyannote's VAD takes none of it for a voice."""
    total = round(seconds * SAMPLE_RATE)
    track = np.zeros(total + 4 * SAMPLE_RATE, np.float32)
    for beat in range(int(seconds / _BEAT)):
        chord = _CHORDS[beat // 8 % len(_CHORDS)]
        start = round(beat * _BEAT * SAMPLE_RATE)
        if beat % 8 == 0:
            for semitone in chord:
                _add_note(track, start, semitone, 8 * _BEAT, 0.06)
        _add_note(track, start, chord[beat % 3] + 12, 2 * _BEAT, 0.12)
    fade = np.minimum(1, np.minimum(np.arange(total), np.arange(total)[::-1]) / (0.5 * SAMPLE_RATE))
    return (track[:total] * fade).astype(np.float32)


def _add_note(track: np.ndarray, start: int, semitone: int, seconds: float, level: float) -> None:
    """Adds one plucked note: three partials that die away."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = 220 * 2 ** (semitone / 12)
    partials = sum(np.sin(2 * np.pi * frequency * k * times) / k**2 for k in (1, 2, 3))
    envelope = np.exp(-3 * times / seconds) * np.minimum(1, times / 0.01)
    track[start : start + len(times)] += (level * partials * envelope).astype(np.float32)


def encode(audio: np.ndarray, path: Path) -> None:
    """Writes ``audio`` in the container that the suffix names; RuntimeError with ffmpeg's words."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = ("-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "1", "-i", "pipe:0")
    # No version of the encoder and no dates in the file: made twice, it is the same.
    plain = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact")
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        *source,
        *_CODECS[path.suffix],
        *plain,
        str(path),
    ]
    done = subprocess.run(command, input=audio.astype("<f4").tobytes(), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"ffmpeg could not write {path}: {done.stderr.decode(errors='replace')}")


def decode(path: Path) -> np.ndarray:
    """Decodes a media file to 16 kHz mono float32, as any player would: encoder padding left out."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(path)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def delay(encoded: np.ndarray, original: np.ndarray, limit: float = 0.2) -> float:
    """How much later than ``original`` the ``encoded`` audio is, in seconds, by cross-correlation."""
    length = min(len(encoded), len(original), 20 * SAMPLE_RATE)
    size = 1 << (2 * length - 1).bit_length()
    spectrum = np.fft.rfft(encoded[:length], size) * np.conj(np.fft.rfft(original[:length], size))
    correlation = np.fft.irfft(spectrum, size)
    reach = round(limit * SAMPLE_RATE)
    return int(np.argmax(np.concatenate([correlation[-reach:], correlation[: reach + 1]])) - reach) / SAMPLE_RATE
