"""Sound that is like speech (syllables and pauses), and ffmpeg to put it into any container."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile  # type: ignore[import-untyped]
from scipy.signal import lfilter

from channelscribe.audio.ffmpeg import ffmpeg_path

Encode = Callable[..., Path]
RATE = 44_100


def speech_like(seconds: float, rate: int = RATE, peak: float = 0.1) -> npt.NDArray[np.float32]:
    """Noise with a voice's spectrum, four syllables a second, some of them pauses. Shape (n,)."""
    random = np.random.default_rng(7)
    count = int(seconds * rate)
    noise = lfilter([1.0], [1.0, -1.7, 0.75], random.standard_normal(count))
    strength = random.uniform(0.4, 1.0, int(seconds * 4) + 2) * (random.random(int(seconds * 4) + 2) > 0.2)
    envelope = np.interp(np.arange(count) / rate * 4, np.arange(len(strength)), strength)
    sound = noise * envelope
    return np.asarray(sound / np.abs(sound).max() * peak, dtype=np.float32)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds, 44.1 kHz stereo, as a wav."""
    path = tmp_path_factory.mktemp("original") / "original.wav"
    left = speech_like(10)
    soundfile.write(path, np.stack([left, left * 0.8], axis=1), RATE)
    return path


@pytest.fixture(params=["wheel", pytest.param("system", marks=[pytest.mark.slow, pytest.mark.long])])
def each_ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with the wheel's ffmpeg, and again with the system's where there is one."""
    if request.param == "wheel":
        monkeypatch.setenv("PATH", "")
    elif shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg on PATH")
    return ffmpeg_path()


@pytest.fixture
def encode(tmp_path: Path) -> Encode:
    """Runs ffmpeg: `encode("name.ext", *arguments)` with the arguments between its options and the output."""

    def run(name: str, *arguments: str | Path) -> Path:
        target = tmp_path / name
        subprocess.run([ffmpeg_path(), "-loglevel", "error", "-nostdin", "-y", *arguments, target], check=True)
        return target

    return run
