"""The whole chain on files: whisperx's own command line against `channelscribe transcribe`.

    make bench NAME=whisperx

The same files, the same models (the sample's), the same beam: decoding, voice activity, recognition, alignment,
speakers, all five formats. Twenty files of a minute, and one of thirty; each side in a process of its own, A B A B, so
imports and model loads are in the figures. Medians are shown. The texts are compared word by word, and loads are
counted on both sides.

`python -m benchmarks.whisperx 1 4 5` is one round with four files of a minute and one of five minutes.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile  # type: ignore[import-untyped]

from benchmarks.report import print_report
from benchmarks.sample_speech import whole_channel
from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.evaluation.metrics import word_error_rate
from channelscribe.sample import world

MINUTE = 60 * SAMPLE_RATE
OFFLINE = {"HF_HUB_OFFLINE": "1", "PYANNOTE_METRICS_ENABLED": "0"}
# whisperx's command, with a count of what it loads as its last line on stderr
COUNTED = """
import atexit, json, sys
import whisperx.transcribe as chain
counts = {}
def counted(name):
    real = getattr(chain, name)
    def load(*given, **named):
        counts[name] = counts.get(name, 0) + 1
        return real(*given, **named)
    setattr(chain, name, load)
for name in ("load_model", "load_align_model", "DiarizationPipeline"):
    counted(name)
atexit.register(lambda: sys.stderr.write("\\n" + json.dumps(counts)))
from whisperx.__main__ import cli
cli()
"""


def whisperx(files: Sequence[Path], folder: Path) -> tuple[float, int]:
    """Wall seconds and model loads of whisperx's command line."""
    models = world.models_dir()
    options = {
        "model": str(models / "whisper.en"),
        "align_model": str(models / "align"),
        "diarize_model": str(world.diarizer_folder(folder / "diarizer")),
        "device": "cpu",
        "compute_type": "int8",
        "language": "en",
        "chunk_size": "15",
        "batch_size": "4",
        "threads": str(os.cpu_count()),
        "output_dir": str(folder / "whisperx"),
    }
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    if not (tools / "ffmpeg").exists():
        (tools / "ffmpeg").symlink_to(ffmpeg_path())
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **OFFLINE, "PATH": path, "NLTK_DATA": str(models / "nltk_data")}
    named = [part for name, value in options.items() for part in (f"--{name}", value)]
    took, done = _run([sys.executable, "-c", COUNTED, *map(str, files), "--diarize", *named], environment)
    return took, sum(json.loads(done.stderr.splitlines()[-1]).values())


def channelscribe(files: Sequence[Path], folder: Path) -> tuple[float, int]:
    """Wall seconds and model loads of `channelscribe transcribe`; nothing is left for the next round to find."""
    out = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "flows.cli", "transcribe", *map(str, files), "--model", "sample"]
    took, done = _run([*command, "--out", str(out), "--json"], {**os.environ, **OFFLINE})
    (folder / "channelscribe").unlink(missing_ok=True)
    (folder / "channelscribe").symlink_to(out)
    return took, sum(json.loads(done.stdout)["model_loads"].values())


def _run(command: list[str], environment: dict[str, str]) -> tuple[float, subprocess.CompletedProcess[str]]:
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    took = time.monotonic() - started
    if done.returncode:
        raise SystemExit(f"{command[2][:20]} failed: {done.stderr[-2000:]}")
    return took, done


def words_of(path: Path) -> str:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["segments"]
    return " ".join(segment["text"].strip() for segment in found)


def same_words(files: Sequence[Path], folder: Path) -> float:
    """The share of whisperx's words that are ours too, in order."""
    texts = [
        [words_of(folder / side / f"{file.stem}.json") for file in files] for side in ("whisperx", "channelscribe")
    ]
    return 1.0 - word_error_rate(*(" ".join(side) for side in texts)).rate


def write_files(folder: Path, minutes: int, count: int) -> list[Path]:
    """`count` files of `minutes` of the sample channel's speech, again and again, each begun at another place.

    They hold whole sentences, and silence after the last: of half a word everybody makes something else.
    """
    speech, sentences = whole_channel()
    size, paths = minutes * MINUTE, []
    for number in range(count):
        wanted = number * MINUTE % len(speech)
        first = next((start for start, _ in sentences if start >= wanted), sentences[0][0])
        rounds = range(1 + (first + size) // len(speech))
        ends = [end + each * len(speech) - first for each in rounds for _, end in sentences]
        kept = max(end for end in ends if end <= size)
        samples = np.zeros(size, dtype=speech.dtype)
        samples[:kept] = speech[(np.arange(kept) + first) % len(speech)]
        paths.append(folder / f"{minutes}-minutes-{number:02d}.wav")
        soundfile.write(paths[-1], samples, SAMPLE_RATE, subtype="PCM_16")
    return paths


def main(rounds: int, short: int, minutes: int) -> None:
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        cases = {
            "short": write_files(folder, 1, short),
            "long": write_files(folder, minutes, 1),
        }
        for case, files in cases.items():
            seconds: dict[str, list[float]] = {"whisperx": [], "channelscribe": []}
            loads = {}
            for _ in range(rounds):
                for side in (whisperx, channelscribe):
                    took, loads[side.__name__] = side(files, folder)
                    seconds[side.__name__].append(took)
                    sys.stderr.write(f"{case}, {side.__name__}: {took:.1f} s\n")
            theirs, ours = (statistics.median(seconds[side]) for side in ("whisperx", "channelscribe"))
            audio = len(files) * (60 if case == "short" else 60 * minutes)
            what = f"{len(files)} x {audio // len(files) // 60} min"
            for who, took in (("whisperx", theirs), ("channelscribe", ours)):
                rows.append([what, who, f"{took:.1f} s", f"{audio / took:.1f} x real time", f"{loads[who]} loads"])
            figures[f"whisperx.{case}_wall_ratio"] = theirs / ours
            figures[f"whisperx.{case}_same_words"] = same_words(files, folder)
            figures[f"whisperx.{case}_model_loads"] = loads["channelscribe"]
            figures[f"whisperx.{case}_model_loads_theirs"] = loads["whisperx"]
    figures["whisperx.wall_ratio"] = min(figures["whisperx.short_wall_ratio"], figures["whisperx.long_wall_ratio"])
    figures["whisperx.same_words"] = min(figures["whisperx.short_same_words"], figures["whisperx.long_same_words"])
    goal = {"whisperx.wall_ratio": ">= 1.5", "whisperx.same_words": ">= 0.99"}
    print_report("whisperx", ["files", "side", "median", "rate", "models"], rows, figures, goal)


if __name__ == "__main__":
    main(*(int(given) for given in (sys.argv[1:] + ["2", "20", "30"][len(sys.argv) - 1 :])))
