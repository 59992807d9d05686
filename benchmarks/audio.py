"""Preparing half an hour of audio: one pipeline that streams, against a pass for each step with pydub in memory.

    make bench NAME=audio
    .venv/bin/python -m benchmarks.audio MINUTES ROUNDS   # another length than 30, more rounds than 1

A is `channelscribe.audio.prepare` with the steps convert, normalize, trim and split: an mp3 at its loudness, its parts,
the 16 kHz speech track. B makes the same files as scripts usually do: each step reads the file of the step before into
memory with pydub and writes the next one; the loudness, which pydub cannot measure, is ffmpeg's `loudnorm` in two
passes. B is spared what it does worst: it looks for silence every 100 ms instead of every one. A and B in turn, ROUNDS
times, each in a process of its own; medians are shown, and B without its `loudnorm` beside it. Memory is the peak of
resident memory of the process and its children together; that of B grows with the length. Then A alone on mono speech
at 16 kHz, twice that length and four times as much again (an hour and four), for how memory grows.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import print_report
from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.sample import world

MINUTES, ROUNDS = 30, 1  # under five minutes on two idle cores
PART_MINUTES = 15
STEPS = {
    "steps": ["convert", "normalize", "trim", "split"],
    "trim": {"of": "both"},
    "split": {"max_minutes": PART_MINUTES},
}
GOAL = {"audio.wall_ratio": ">= 2", "audio.memory_ratio": ">= 5", "audio.memory_four_hours_over_one": "<= 1.2"}
RATE = 44_100
POLL_SECONDS = 0.05
MEASURED = {"I": "i", "TP": "tp", "LRA": "lra", "thresh": "thresh"}
LOUDNORM_FILE = "loudnorm-seconds"


def ours(source: Path, folder: Path, more: Mapping[str, Any] | None = None) -> None:
    from channelscribe.audio.prepare import prepare
    from channelscribe.settings.audio import AudioOptions

    prepare(source, folder, AudioOptions.model_validate({**STEPS, **(more or {})}), {"title": "An hour"})


def small(source: Path, folder: Path) -> None:
    """The same with an archive that is encoded faster: four hours of it are only about memory."""
    ours(source, folder, {"convert": {"sample_rate": 16_000, "bitrate_kbps": 48}})


def naive(source: Path, folder: Path) -> None:
    """One pass a step, the whole file in memory each time."""
    from pydub import AudioSegment  # type: ignore[import-untyped]
    from pydub.silence import detect_leading_silence, detect_silence  # type: ignore[import-untyped]

    AudioSegment.converter = ffmpeg_path()
    converted, normalized, trimmed = (folder / f"{step}.mp3" for step in ("converted", "normalized", "trimmed"))
    read_as_wav(source, AudioSegment).export(converted, format="mp3", bitrate="96k")
    started = time.monotonic()
    two_pass_loudnorm(converted, normalized)
    (folder.parent / LOUDNORM_FILE).write_text(str(time.monotonic() - started))
    sound = read_as_wav(normalized, AudioSegment)
    head, tail = detect_leading_silence(sound), detect_leading_silence(sound.reverse())
    sound[head : len(sound) - tail].export(trimmed, format="mp3", bitrate="96k")
    sound = read_as_wav(trimmed, AudioSegment)
    silences = detect_silence(sound, min_silence_len=500, silence_thresh=-50, seek_step=100)
    cuts = [0]
    while len(sound) - cuts[-1] > PART_MINUTES * 60_000:
        limit = cuts[-1] + PART_MINUTES * 60_000
        cuts.append(max((start for start, _ in silences if cuts[-1] < start <= limit), default=limit))
    for number, (start, end) in enumerate(zip(cuts, [*cuts[1:], len(sound)], strict=True)):
        sound[start:end].export(folder / f"part{number}.mp3", format="mp3", bitrate="96k")
    read_as_wav(trimmed, AudioSegment).set_channels(1).set_frame_rate(16_000).export(folder / "x.flac", format="flac")


def two_pass_loudnorm(source: Path, target: Path) -> None:
    """As https://k.ylo.ph/2016/04/04/loudnorm.html tells it."""
    wanted = "loudnorm=I=-16:TP=-1.5:LRA=11"
    command = [ffmpeg_path(), "-hide_banner", "-nostats", "-nostdin", "-y", "-i", str(source)]
    first = subprocess.run(
        [*command, "-af", f"{wanted}:print_format=json", "-f", "null", "-"], check=True, capture_output=True, text=True
    )
    told = json.loads(first.stderr[first.stderr.rindex("{") : first.stderr.rindex("}") + 1])
    known = ":".join(f"measured_{name}={told[f'input_{key}']}" for name, key in MEASURED.items())
    second = f"{wanted}:{known}:offset={told['target_offset']}:linear=true"
    subprocess.run(
        [*command, "-af", second, "-ar", str(RATE), "-b:a", "96k", str(target)], check=True, capture_output=True
    )


def read_as_wav(path: Path, kind: Any) -> Any:
    """pydub's `from_file`; it asks ffprobe first, which the bundled ffmpeg does not have, so ffmpeg writes a wav."""
    wav = path.with_suffix(".read.wav")
    command = [ffmpeg_path(), "-v", "error", "-nostdin", "-y", "-i", str(path), "-c:a", "pcm_s16le", str(wav)]
    subprocess.run(command, check=True)
    sound = kind.from_wav(wav)
    wav.unlink()
    return sound


def measured(what: str, source: Path) -> tuple[float, float, float]:
    """(wall seconds, peak bytes of the process and its children, seconds of loudnorm) in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-audio-") as name:
        folder = Path(name) / "made"
        folder.mkdir()
        started, peak = time.monotonic(), 0
        child = subprocess.Popen([sys.executable, "-m", "benchmarks.audio", what, str(source), str(folder)])
        process = psutil.Process(child.pid)
        while child.poll() is None:
            peak = max(peak, resident(process))
            time.sleep(POLL_SECONDS)
        if child.returncode:
            raise SystemExit(f"{what} failed on {source.name}")
        loudnorm = Path(name) / LOUDNORM_FILE
        spent = float(loudnorm.read_text()) if loudnorm.exists() else 0.0
        print(f"  {what} on {source.stem}: {time.monotonic() - started:.0f} s, {peak / 1e6:.0f} MB", file=sys.stderr)
        return time.monotonic() - started, peak, spent


def resident(process: psutil.Process) -> int:
    total = 0
    try:
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # ended while we looked
    return total


def generated(folder: Path, name: str, seconds: int, rate: int, channels: int) -> Path:
    """An episode of the sample channel, which is synthetic speech with pauses, over and over, as m4a."""
    made = folder / f"{name}.m4a"
    loop = ["-stream_loop", "-1", "-i", str(world.episode("night-train").path), "-t", str(seconds)]
    form = ["-ar", str(rate), "-ac", str(channels), "-c:a", "aac", "-b:a", f"{48 * channels}k"]
    subprocess.run([ffmpeg_path(), "-v", "error", "-nostdin", "-y", *loop, *form, str(made)], check=True)
    return made


def main() -> None:
    minutes, rounds = (int(value) for value in [*sys.argv[1:], *(str(MINUTES), str(ROUNDS))[len(sys.argv) - 1 :]])
    seconds = minutes * 60
    with tempfile.TemporaryDirectory(prefix="bench-audio-") as name:
        folder = Path(name)
        whole = generated(folder, "whole", seconds, RATE, 2)
        mine, theirs = [], []
        for _ in range(rounds):
            mine.append(measured("ours", whole))
            theirs.append(measured("naive", whole))
        one = measured("small", generated(folder, "one", 2 * seconds, 16_000, 1))
        four = measured("small", generated(folder, "four", 8 * seconds, 16_000, 1))
    a_wall, a_peak, _ = (statistics.median(values) for values in zip(*mine, strict=True))
    b_wall, b_peak, loudnorm = (statistics.median(values) for values in zip(*theirs, strict=True))
    rows = [
        [f"channelscribe, {minutes} min", f"{a_wall:.0f} s", f"{a_peak / 1e6:.0f} MB"],
        [f"a pass a step with pydub, {minutes} min", f"{b_wall:.0f} s", f"{b_peak / 1e6:.0f} MB"],
        ["the same without its loudnorm", f"{b_wall - loudnorm:.0f} s", ""],
        [f"channelscribe, {2 * minutes} min of mono", f"{one[0]:.0f} s", f"{one[1] / 1e6:.0f} MB"],
        [f"channelscribe, {8 * minutes} min of mono", f"{four[0]:.0f} s", f"{four[1] / 1e6:.0f} MB"],
    ]
    figures = {
        "audio.wall_ratio": b_wall / a_wall,
        "audio.wall_ratio_without_loudnorm": (b_wall - loudnorm) / a_wall,
        "audio.memory_ratio": b_peak / a_peak,
        "audio.memory_four_hours_over_one": four[1] / one[1],
        "audio.times_real_time": seconds / a_wall,
    }
    print_report("audio", ["what", "wall", "peak memory"], rows, figures, GOAL)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        {"ours": ours, "naive": naive, "small": small}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
