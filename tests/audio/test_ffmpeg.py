from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path, run_ffmpeg, try_ffmpeg
from channelscribe.audio.speech_track import cut_speech
from channelscribe.errors import (
    ChannelscribeError,
    CorruptMedia,
    MachineBusy,
    MediaTimeout,
    NoAudioTrack,
    OutOfMemory,
    ProgramFailed,
    StackError,
    StoreNotWritable,
    stops_run,
)

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


StandIn = Callable[[str], None]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Puts a script in place of ffmpeg; `real` in it is the real one."""
    real = ffmpeg_path()

    def put(script: str) -> None:
        path = tmp_path / "bin" / "ffmpeg"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nreal() {{ {real} "$@"; }}\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    return put


def outcome(source: Path, tmp_path: Path, seconds: float = 20) -> ChannelscribeError:
    made = tmp_path / "made.flac"
    with pytest.raises(ChannelscribeError) as caught:
        run_ffmpeg(source, ["-map", "0:a:0", "-c:a", "flac", f"file:{made}"], seconds)
    assert "\n" not in str(caught.value) and caught.value.remedy
    return caught.value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        ("kill -9 $$", ProgramFailed, "SIGKILL"),
        ("kill -15 $$", ProgramFailed, "SIGTERM"),
        ("exit 127", ProgramFailed, "could not be started"),
        ("exit 126", ProgramFailed, "could not be started"),
        ("real() { sh -c 'kill -9 $$'; }; real; exit $?", ProgramFailed, "SIGKILL"),
        ("kill -11 $$", ProgramFailed, "cannot even encode silence"),
        ("exit 1", ProgramFailed, "cannot even encode silence"),
        ("head -c 100000 /dev/urandom; head -c 100000 /dev/urandom >&2; exit 3", ProgramFailed, "encode silence"),
        ("head -c 100000 /dev/urandom; exit 0", ProgramFailed, "did not write made.flac"),
        ("echo 'Exiting normally, received signal 15.' >&2; exit 255", ProgramFailed, "told to stop"),
        ("echo 'av_malloc: Cannot allocate memory' >&2; exit 244", OutOfMemory, "memory"),
        ("echo 'x.flac: No space left on device' >&2; exit 228", StoreNotWritable, "No space left"),
    ],
)
def test_what_is_the_machines(
    original: Path, stand_in: StandIn, tmp_path: Path, script: str, kind: type[ChannelscribeError], says: str
) -> None:
    stand_in(script)
    found = outcome(original, tmp_path)
    assert type(found) is kind and says in found.message
    assert stops_run(found)


def test_a_crash_on_one_file_is_the_files(original: Path, stand_in: StandIn, tmp_path: Path) -> None:
    stand_in('case "$*" in *original*) kill -11 $$;; *) real "$@";; esac')
    found = outcome(original, tmp_path)
    assert type(found) is CorruptMedia and "SIGSEGV" in found.message


def test_a_program_that_cannot_be_executed(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bin" / "ffmpeg"
    broken.parent.mkdir()
    broken.write_bytes(b"\x7fELF of another world")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent))
    found = outcome(original, tmp_path)
    assert type(found) is ProgramFailed and "cannot be started" in found.message
    with pytest.raises(ProgramFailed):
        try_ffmpeg()


@pytest.mark.slow
def test_whose_a_time_limit_is(original: Path, stand_in: StandIn, tmp_path: Path) -> None:
    stand_in('case "$*" in *original*) exec sleep 30;; *) real "$@";; esac')
    assert type(outcome(original, tmp_path, 1)) is MachineBusy
    stand_in('case "$*" in *original*) while :; do :; done;; *) real "$@";; esac')
    # A processor of its own is not promised to a test: without one it is the machine's, too.
    assert isinstance(outcome(original, tmp_path, 3), MediaTimeout)
    assert children() == []


def test_a_line_without_an_end_does_not_fill_the_memory(original: Path, stand_in: StandIn, tmp_path: Path) -> None:
    stand_in("exec cat /dev/zero")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert type(outcome(original, tmp_path, 1)) in (ProgramFailed, MachineBusy)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


@pytest.mark.usefixtures("each_ffmpeg")
def test_a_real_one_that_is_told_to_stop(original: Path, tmp_path: Path) -> None:
    def stop(_: float) -> None:
        for pid in children():
            os.kill(pid, signal.SIGTERM)

    with pytest.raises(ProgramFailed, match=r"told to stop|SIGTERM"):
        run_ffmpeg(original, ["-af", "arealtime", "-f", "flac", f"file:{tmp_path / 'x.flac'}"], 20, stop)


@pytest.mark.usefixtures("each_ffmpeg")
def test_silence_can_be_encoded() -> None:
    try_ffmpeg()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounts a tmpfs: needs root")
def test_a_full_disk(original: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=False).returncode:
        pytest.skip("this root may not mount")
    try:
        with pytest.raises(StoreNotWritable, match="No space left"):
            run_ffmpeg(original, ["-c:a", "pcm_s16le", "-f", "wav", f"file:{small / 'x.wav'}"], 20)
        (small / "x.wav").unlink()
        speech = tmp_path / "speech.flac"
        run_ffmpeg(original, ["-ar", "16000", "-ac", "1", "-f", "flac", f"file:{speech}"], 20)
        (small / "filling").write_bytes(bytes(60_000))
        with pytest.raises(StoreNotWritable):
            cut_speech(speech, small / "part.flac", 0.0, 8.0)
    finally:
        subprocess.run(["umount", small], check=True)


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
