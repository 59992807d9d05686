from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path, run_ffmpeg
from channelscribe.errors import CorruptMedia, MediaTimeout, NoAudioTrack, StackError, StoreNotWritable

SLOW = ["-af", "arealtime", "-f", "null", "-"]  # as slow as it sounds


def children() -> list[int]:
    """Our child processes that are ffmpeg; other tests of this process may keep a PostgreSQL."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in listed if b"ffmpeg" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_path_comes_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "ffmpeg"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg_path() == str(mine)
    mine.unlink()
    assert "imageio_ffmpeg" in ffmpeg_path()


def test_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(StackError, match=r"pip install channelscribe\[laptop\]"):
        ffmpeg_path()


def test_a_time_limit(original: Path) -> None:
    started = time.monotonic()
    with pytest.raises(MediaTimeout):
        run_ffmpeg(original, SLOW, 0.5)
    assert time.monotonic() - started < 5 and children() == []


def test_an_exception_ends_it(original: Path) -> None:
    def stop(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_ffmpeg(original, SLOW, 60, stop)
    assert children() == []


def test_failures_say_what_is_wrong(original: Path, tmp_path: Path) -> None:
    with pytest.raises(CorruptMedia, match="No such file or directory"):
        run_ffmpeg(tmp_path / "nothing.mp3", ["-f", "null", "-"], 20)
    with pytest.raises(NoAudioTrack):
        run_ffmpeg(original, ["-map", "0:a:7", "-f", "null", "-"], 20)
    if Path("/dev/full").exists():
        with pytest.raises(StoreNotWritable):
            run_ffmpeg(original, ["-f", "wav", "file:/dev/full"], 20)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_it_dies_with_its_parent(original: Path) -> None:
    code = (
        "from pathlib import Path\nfrom channelscribe.audio.ffmpeg import run_ffmpeg\n"
        f"run_ffmpeg(Path({str(original)!r}), {SLOW!r}, 60, lambda seconds: print('runs', flush=True))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdout.readline() == b"runs\n"
    (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)
