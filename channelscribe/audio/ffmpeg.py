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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from channelscribe.audio.containers import DEMUXERS, PROTOCOLS
from channelscribe.errors import (
    ChannelscribeError,
    CorruptMedia,
    MediaTimeout,
    NoAudioTrack,
    StackError,
    StoreNotWritable,
)

__all__ = ["AUDIO_INPUT", "LineCallback", "SecondsCallback", "ffmpeg_path", "run_ffmpeg"]

SecondsCallback = Callable[[float], None]
LineCallback = Callable[[str], None]

_LOG_BYTES = 8192  # the end of ffmpeg's log: its error, and what the filters print when they are done
# More than a fifth of undecodable packets is noise (encrypted, or broken all over), not a broken stretch.
_MOST_ERRORS = "0.2"
AUDIO_INPUT = ("-protocol_whitelist", PROTOCOLS, "-format_whitelist", DEMUXERS, "-vn", "-sn", "-dn")
_DECODING_ERRORS = (
    "Format not on whitelist",
    "Invalid data found when processing input",
    "No such file or directory",
    "Nothing was written into output file",
    "Decoder not found",
)
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
    Raises NoAudioTrack, CorruptMedia, MediaTimeout, StoreNotWritable, StackError.
    """
    command = [ffmpeg_path(), "-hide_banner", "-nostdin", "-y", "-nostats", "-progress", "pipe:1"]
    command += ["-max_error_rate", _MOST_ERRORS, *opening, "-i", f"file:{source.absolute()}", *outputs]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_dies_with(os.getpid()),
    )
    assert process.stdout is not None and process.stderr is not None
    late = threading.Event()
    log = bytearray()
    watchdog = threading.Timer(time_limit, _expire, (process, late))
    reader = threading.Thread(target=_keep_tail, args=(process.stderr, log, hear), daemon=True)
    try:
        watchdog.start()
        reader.start()
        _follow(process.stdout, progress)
        process.wait()
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()
    if late.is_set():
        raise MediaTimeout(f"Decoding took longer than {time_limit:.0f} s.", remedy="Raise audio.time_limit_factor.")
    text = log.decode("utf-8", "replace")
    if process.returncode != 0:
        raise _failure(text, process.returncode)
    return text


def _follow(lines: IO[bytes], progress: SecondsCallback | None) -> None:
    """Reads ffmpeg's progress report (key=value lines) until it ends."""
    for line in lines:
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


def _expire(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


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


def _failure(log: str, status: int) -> ChannelscribeError:
    """The error that ffmpeg's log tells of."""
    if "matches no streams" in log or "does not contain any stream" in log:
        return NoAudioTrack("There is no audio track in the file.")
    for words in ("No space left on device", "Permission denied", "Read-only file system", "Disk quota exceeded"):
        if words in log:
            return StoreNotWritable(f"ffmpeg could not write: {words}.", remedy="Free disk space or give access.")
    known = [words for words in _DECODING_ERRORS if words in log]
    return CorruptMedia(f"The file cannot be decoded: {(known or [f'ffmpeg ended with status {status}'])[0]}.")
