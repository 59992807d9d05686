"""Broken and hostile media: a reason code each, no hang, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from channelscribe.audio.prepare import prepare
from channelscribe.audio.probe import probe
from channelscribe.audio.scratch import working_folder
from channelscribe.audio.space import longest_seconds
from channelscribe.errors import ChannelscribeError
from channelscribe.settings.audio import AudioOptions
from tests.audio.conftest import RATE, Encode, speech_like

ALL_STEPS = AudioOptions.model_validate(
    {"steps": ["convert", "normalize", "trim", "split"], "split": {"max_minutes": 0.05, "of": "both"}}
)


def reason(source: Path, tmp_path: Path, announced: float | None = None) -> str:
    with pytest.raises(ChannelscribeError) as caught:
        prepare(source, tmp_path / "out", ALL_STEPS, {"title": "x"}, announced)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
    assert caught.value.message and "\n" not in str(caught.value)
    return caught.value.reason


@pytest.mark.usefixtures("each_ffmpeg")
def test_a_reason_for_each(original: Path, encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").write_bytes(b"")
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(3).bytes(300_000))
    (tmp_path / "zeros.m4a").write_bytes(bytes(100_000))
    (tmp_path / "list.mp3").write_text("#EXTM3U\n/etc/passwd\n")
    (tmp_path / "page.mp3").write_text("<!DOCTYPE html><title>404</title>")
    silent = encode("picture.mp4", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=1")
    assert reason(tmp_path / "empty.mp3", tmp_path) == "empty_media"
    for name in ("noise.mp3", "zeros.m4a", "list.mp3", "page.mp3"):
        assert reason(tmp_path / name, tmp_path) == "corrupt_media", name
    assert reason(silent, tmp_path) == "no_audio_track"
    assert reason(tmp_path / "none.mp3", tmp_path) == "no_such_file"
    assert reason(tmp_path, tmp_path) == "no_such_file"
    assert reason(original, tmp_path, announced=60) == "truncated"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.mp3")
    assert reason(tmp_path / "x.mp3", tmp_path) == "no_such_file"


@pytest.mark.slow
@pytest.mark.usefixtures("each_ffmpeg")
@pytest.mark.parametrize("extension", ["m4a", "mkv", "mp3", "flac"])
def test_noise_where_the_sound_should_be(original: Path, encode: Encode, tmp_path: Path, extension: str) -> None:
    """As DRM leaves it: a good container with a packet structure, and nothing in it that can be decoded."""
    codec = {"m4a": ["-c:a", "aac"], "mkv": ["-c:a", "aac"], "mp3": ["-b:a", "64k"], "flac": []}[extension]
    source = encode(f"x.{extension}", "-i", original, *codec)
    data = bytearray(source.read_bytes())
    start, end = (48, int(len(data) * 0.93)) if extension == "m4a" else (int(len(data) * 0.05), len(data))
    data[start:end] = np.random.default_rng(3).bytes(end - start)
    source.write_bytes(data)
    assert reason(source, tmp_path) in {"corrupt_media", "truncated"}


@pytest.mark.usefixtures("each_ffmpeg")
def test_an_encrypted_track(original: Path, encode: Encode, tmp_path: Path) -> None:
    key = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "00" * 16, "-encryption_kid", "11" * 16]
    source = encode("x.m4a", "-i", original, "-c:a", "aac", *key, "-f", "mp4")
    assert reason(source, tmp_path) == "corrupt_media"


@pytest.mark.slow
@pytest.mark.usefixtures("each_ffmpeg")
def test_eight_channels_at_192_khz_through_all_steps(tmp_path: Path) -> None:
    sound = speech_like(8, rate=192_000)
    soundfile.write(tmp_path / "x.wav", np.stack([sound] * 8, axis=1), 192_000, subtype="PCM_24")
    made = prepare(tmp_path / "x.wav", tmp_path / "out", ALL_STEPS, {})
    assert made.seconds == 8.0 and len(made.parts) >= 6


@pytest.mark.usefixtures("each_ffmpeg")
def test_a_file_that_goes_on_and_on_is_stopped(tmp_path: Path) -> None:
    """Its header tells one second, its packets ten minutes: silence is small, and would fill a disk."""
    soundfile.write(tmp_path / "x.flac", np.zeros(600 * 8000, "i2"), 8000)
    data = bytearray((tmp_path / "x.flac").read_bytes())
    # STREAMINFO's total samples: 36 bits that end at byte 26. https://www.rfc-editor.org/rfc/rfc9639, section 8.2
    data[21:26] = bytes([data[21] & 0xF0]) + (8000).to_bytes(4, "big")
    (tmp_path / "x.flac").write_bytes(data)
    assert longest_seconds(probe(tmp_path / "x.flac"), None) == pytest.approx(61.1)
    assert reason(tmp_path / "x.flac", tmp_path) == "too_long"


def test_a_disk_that_is_too_small_is_told_before_the_start(original: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    with pytest.raises(ChannelscribeError, match="GB are free") as caught:
        prepare(original, tmp_path / "out", ALL_STEPS, {}, announced_seconds=1e11, progress=seen.append)
    assert caught.value.reason == "store_not_writable" and "Free disk space" in caught.value.remedy
    assert seen == [] and list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_killed_process_left_is_removed(original: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom channelscribe.audio.prepare import prepare\n"
        "from channelscribe.settings.audio import AudioOptions\n"
        "def die(_):\n os.kill(os.getpid(), signal.SIGKILL)\n"
        f"prepare(Path({str(original)!r}), Path({str(tmp_path / 'out')!r}), AudioOptions(), {{}}, progress=die)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    (left,) = (tmp_path / "out").iterdir()
    with working_folder(tmp_path / "out") as busy:
        os.utime(left, (1, 1))
        os.utime(busy, (1, 1))
        prepare(original, tmp_path / "out", AudioOptions(steps=("convert",)), {})
        assert not left.exists() and busy.exists()
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "original.archive.mp3",
        "original.speech.flac",
    ]


def test_a_clip_of_a_tenth_of_a_second(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", speech_like(0.1), RATE)
    made = prepare(tmp_path / "x.wav", tmp_path / "out", ALL_STEPS, {})
    assert made.seconds == pytest.approx(0.1) and made.parts == () and made.loudness is None
