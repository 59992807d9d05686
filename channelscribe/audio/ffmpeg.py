"""ffmpeg as a child process: found, started on files only, watched, and always gone afterwards.

Needs an ffmpeg on PATH or the wheel `imageio-ffmpeg`. Leaves the files that its arguments name. No shell is
involved, inputs go through `file:` with the protocols and demuxers of `containers`, and nothing is read from
stdin.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from channelscribe.audio.containers import DEMUXERS, PROTOCOLS
from channelscribe.errors import (
    MEMORY_REMEDY,
    ChannelscribeError,
    CorruptMedia,
    MachineBusy,
    MediaTimeout,
    NoAudioTrack,
    OutOfMemory,
    ProgramFailed,
    StackError,
    StoreNotWritable,
    machine_fault,
)

__all__ = ["AUDIO_INPUT", "LineCallback", "SecondsCallback", "ffmpeg_path", "run_ffmpeg", "try_ffmpeg"]

SecondsCallback = Callable[[float], None]
LineCallback = Callable[[str], None]
Watch = tuple[list[float], bytearray]

_LONGEST_LINE = 4096  # bytes, of a progress report
_LOG_BYTES = 8192  # the end of ffmpeg's log: its error, and what the filters print when they are done
# More than a fifth of undecodable packets is noise (encrypted, or broken all over), not a broken stretch.
_MOST_ERRORS = "0.2"
AUDIO_INPUT = ("-protocol_whitelist", PROTOCOLS, "-format_whitelist", DEMUXERS, "-vn", "-sn", "-dn")
_DISK_ERRORS = ("No space left on device", "Permission denied", "Read-only file system", "Disk quota exceeded")
_DECODING_ERRORS = (
    "Format not on whitelist",
    "Invalid data found when processing input",
    "No such file or directory",
    "Nothing was written into output file",
    "Decoder not found",
)
_NOT_STARTED = (126, 127)  # a shell's, and the dynamic linker's for a library that is missing
_KILLED = (128 + signal.SIGKILL, 128 + signal.SIGTERM)  # the same through a script around ffmpeg
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_LEAST_SHARE = 0.2  # of a processor, below which ffmpeg did not work but wait
_TRIAL = ("-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "0.1", "-c:a", "flac", "-f", "flac", "pipe:1")
_TRIAL_SECONDS = 20.0
_MOST_TRIAL_BYTES = 65_536
_PLAY = "It is fetched anew another day; see whether a player can play it."
_LOOK = "Look at this machine's memory and log, and at `ffmpeg -version`; `channelscribe doctor` tries it."
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def ffmpeg_path() -> str:
    """The ffmpeg to use: on PATH, else the wheel's. Raises StackError when there is none."""
    if on_path := shutil.which("ffmpeg"):
        return on_path
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise StackError("No ffmpeg was found.", remedy="pip install channelscribe[laptop]") from error


def run_ffmpeg(
    source: Path,
    outputs: list[str],
    time_limit: float,
    progress: SecondsCallback | None = None,
    *,
    hear: LineCallback | None = None,
    opening: Sequence[str] = AUDIO_INPUT,
) -> str:
    """Runs ffmpeg from `source` to `outputs` (its arguments after `-i`) and returns the end of its log.

    `time_limit` is in seconds of wall-clock time. `progress` gets the seconds of audio written so far; what
    it raises ends ffmpeg. `hear` gets each line of the log, on a thread of its own, and must not raise.
    `opening` are the input's options: what may be opened.
    Raises NoAudioTrack, CorruptMedia, MediaTimeout; and what is this machine's: MachineBusy (the limit was reached, but
    ffmpeg hardly got to work), StoreNotWritable, OutOfMemory, ProgramFailed, StackError.
    """
    command = [ffmpeg_path(), "-hide_banner", "-nostdin", "-y", "-nostats", "-progress", "pipe:1"]
    command += ["-max_error_rate", _MOST_ERRORS, *opening, "-i", f"file:{source.absolute()}", *outputs]
    process = _start(command)
    assert process.stdout is not None
    with _watched(process, time_limit, hear) as (late, log):
        _follow(process.stdout, progress)
        process.wait()
    if late:
        raise _too_late(time_limit, late[0])
    text = log.decode("utf-8", "replace")
    if process.returncode != 0:
        raise _failure(text, process.returncode)
    files = [Path(each.removeprefix("file:")) for each in outputs if each.startswith("file:")]
    if missing := [file.name for file in files if not file.exists()]:
        raise ProgramFailed(f"ffmpeg reported success but did not write {missing[0]}.", remedy=_LOOK)
    return text


def try_ffmpeg() -> None:
    """Has ffmpeg make a tenth of a second of silence.

    Raises StackError when there is none, OutOfMemory or ProgramFailed when it cannot.
    """
    path = ffmpeg_path()
    process = _start([path, "-hide_banner", "-nostdin", "-v", "error", *_TRIAL])
    assert process.stdout is not None
    with _watched(process, _TRIAL_SECONDS) as (_, log):
        made = process.stdout.read(_MOST_TRIAL_BYTES)
        if len(made) < _MOST_TRIAL_BYTES:
            process.wait()
    if process.returncode != 0 or not made.startswith(b"fLaC"):
        said = " ".join(log.decode("utf-8", "replace").split())[-200:]
        raise ProgramFailed(f"{path} cannot even encode silence: it {_how(process.returncode)}. {said}", remedy=_LOOK)


@contextmanager
def _watched(process: subprocess.Popen[bytes], time_limit: float, hear: LineCallback | None = None) -> Iterator[Watch]:
    """Reads the log meanwhile and ends the process when its time is up, and in any case at the end.

    Yields the seconds of processor time that it had by then (empty if it ended before), and the end of its log.
    """
    assert process.stdout is not None and process.stderr is not None
    late: list[float] = []
    log = bytearray()
    watchdog = threading.Timer(time_limit, _expire, (process, late))
    reader = threading.Thread(target=_keep_tail, args=(process.stderr, log, hear), daemon=True)
    try:
        watchdog.start()
        reader.start()
        yield late, log
    finally:
        watchdog.cancel()
        _end(process)
        process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            preexec_fn=_dies_with(os.getpid()),
        )
    except (OSError, subprocess.SubprocessError) as error:
        found = machine_fault(error)
        if isinstance(found, OutOfMemory):
            raise found from error
        said = getattr(error, "strerror", None) or error
        raise ProgramFailed(f"{command[0]} cannot be started: {said}.", remedy=_LOOK) from error


def _follow(lines: IO[bytes], progress: SecondsCallback | None) -> None:
    """Reads ffmpeg's progress report (key=value lines) until it ends."""
    while line := lines.readline(_LONGEST_LINE):
        key, _, value = line.decode("ascii", "replace").strip().partition("=")
        if progress is not None and key == "out_time_us" and value.isdigit():
            progress(int(value) / 1e6)


def _keep_tail(stream: IO[bytes], log: bytearray, hear: LineCallback | None) -> None:
    """Reads the log as it comes: memory holds its end and one unfinished line, however long the file is."""
    unfinished = b""
    while chunk := os.read(stream.fileno(), 65536):
        log += chunk
        del log[:-_LOG_BYTES]
        if hear is not None:
            *lines, unfinished = (unfinished + chunk).split(b"\n")
            unfinished = unfinished[-_LOG_BYTES:]
            for line in lines:
                hear(line.decode("utf-8", "replace"))


def _expire(process: subprocess.Popen[bytes], late: list[float]) -> None:
    """Ends it, and notes the seconds of processor time that it had."""
    worked = 0.0
    with suppress(psutil.Error):
        root = psutil.Process(process.pid)
        for each in (root, *root.children(recursive=True)):
            times = each.cpu_times()
            worked += times.user + times.system
    late.append(worked)
    _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills it and what it started: `ffmpeg` may be a script around the real one."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _dies_with(parent: int) -> Callable[[], None] | None:
    """What the child does before it becomes ffmpeg: asks Linux to kill it when we die, even by `kill -9`.

    Only calls prepared beforehand: between fork and exec nothing may be imported or locked.
    """
    prctl = _prctl
    if prctl is None:
        return None

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _too_late(time_limit: float, worked: float) -> ChannelscribeError:
    """Whose a time limit is: the machine's when ffmpeg had to wait for its turn, or does not do anything right."""
    if worked < _LEAST_SHARE * time_limit:
        return MachineBusy(
            f"In {time_limit:.0f} s ffmpeg got {worked:.1f} s of the processor.",
            remedy="Give this machine less to do at once, or raise audio.time_limit_factor.",
        )
    told = f"Decoding took longer than {time_limit:.0f} s."
    return _unless_broken(MediaTimeout(told, remedy="Raise audio.time_limit_factor."))


def _unless_broken(error: ChannelscribeError) -> ChannelscribeError:
    """What nothing tells of is the file's only if ffmpeg is in order otherwise."""
    try:
        try_ffmpeg()
    except ChannelscribeError as broken:
        return broken
    return error


def _failure(log: str, status: int) -> ChannelscribeError:
    """The error that ffmpeg's log and status tell of."""
    if status in (*_NOT_STARTED, *_KILLED) or (status < 0 and -status not in _CRASHES):
        return ProgramFailed(f"ffmpeg {_how(status)}.", remedy=_LOOK)
    if "received signal" in log:  # it closes its files and ends with 255
        return ProgramFailed("ffmpeg was told to stop.", remedy=_LOOK)
    if "Cannot allocate memory" in log:
        return OutOfMemory("ffmpeg ran out of memory.", remedy=MEMORY_REMEDY)
    for words in _DISK_ERRORS:
        if words in log:
            return StoreNotWritable(f"ffmpeg could not write: {words}.", remedy="Free disk space or give access.")
    if "matches no streams" in log or "does not contain any stream" in log:
        return NoAudioTrack("There is no audio track in the file.")
    for words in _DECODING_ERRORS:
        if words in log:
            return CorruptMedia(f"The file cannot be decoded: {words}.", remedy=_PLAY)
    return _unless_broken(CorruptMedia(f"The file cannot be decoded: ffmpeg {_how(status)}.", remedy=_PLAY))


def _how(status: int) -> str:
    """A status as words: "was killed (SIGKILL)"."""
    number = -status if status < 0 else status - 128 if status in _KILLED else None
    if number is not None:
        name = next((each.name for each in signal.Signals if each == number), f"signal {number}")
        return f"{'crashed' if number in _CRASHES else 'was killed'} ({name})"
    return f"could not be started (status {status})" if status in _NOT_STARTED else f"ended with status {status}"
