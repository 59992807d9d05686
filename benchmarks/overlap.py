"""What doing things ahead and together gains: many short files, and a few longer ones.

    make bench NAME=overlap

`channelscribe.speech.files` over the same files of the sample channel's speech, models loaded before, A B A B:

- ahead: one thing after the other in one thread, against the default (on a CPU only ffmpeg is a file ahead), and
  against all that can be: detector and features of the next file, and words and speakers of the one before;
- together: clips of one chunk recognized one by one, against sharing batches.

On a CPU the device and what goes on ahead want the same cores, which is why the default does little ahead; on a GPU it
is worth more (`benchmarks/gpu.py`). The texts of all sides are compared.

`python -m benchmarks.overlap 1 4` is one round with four files.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import print_report
from benchmarks.sample_speech import speech_of
from benchmarks.whisperx import write_files
from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.sample import world
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.files import transcribe_files
from channelscribe.speech.loading import load_aligner, load_diarizer, load_recognizer
from channelscribe.speech.recognize import recognize, recognize_all
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.track import Samples, as_track

OPTIONS = SpeechOptions(model="sample", device="cpu")
CLIP_SECONDS = 5

Texts = list[str]


def text_of(answer: Any) -> str:
    return " ".join(segment["text"] for segment in answer["segments"])


def chain(files: Sequence[Path], ahead_by: int | None) -> Texts:
    with tempfile.TemporaryDirectory() as folder:
        done = transcribe_files(files, Path(folder), OPTIONS, ahead_by=ahead_by)
        return [each.transcript.text if each.transcript else "" for each in done]


def one_by_one(clips: Sequence[Samples]) -> Texts:
    model = resolve_model(OPTIONS)
    return [text_of(recognize(clip, model, OPTIONS)) for clip in clips]


def together(clips: Sequence[Samples]) -> Texts:
    openers = [lambda clip=clip: nullcontext(as_track(clip)) for clip in clips]
    return [text_of(answer) for answer in recognize_all(openers, resolve_model(OPTIONS), OPTIONS)]


def compare(rounds: int, sides: dict[str, Callable[[], Texts]]) -> tuple[dict[str, float], bool]:
    """Median seconds of each side, and whether they say the same."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    texts: dict[str, Texts] = {}
    for _ in range(rounds):
        for name, work in sides.items():
            started = time.perf_counter()
            texts[name] = work()
            seconds[name].append(time.perf_counter() - started)
            sys.stderr.write(f"{name}: {seconds[name][-1]:.1f} s\n")
    first, *others = texts.values()
    return {name: statistics.median(took) for name, took in seconds.items()}, all(each == first for each in others)


def main(rounds: int, count: int) -> None:
    model = resolve_model(OPTIONS)
    for load in (load_recognizer, load_diarizer):
        load(model, OPTIONS)
    load_aligner(model, "en", OPTIONS)
    speech = np.concatenate([speech_of(episode) for episode in world.episodes() if episode.script.sentences])
    size = CLIP_SECONDS * SAMPLE_RATE
    clips = [np.ascontiguousarray(speech[number * size : (number + 1) * size]) for number in range(4 * count)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = write_files(Path(folder), 1, count)
        chain(files[:1], 0)  # the first run of a network costs more
        ways = {"in turn": 0, "default": None, "all ahead": 1}
        ahead, same_chain = compare(rounds, {name: partial(chain, files, by) for name, by in ways.items()})
    batches, same_clips = compare(
        rounds, {"one by one": lambda: one_by_one(clips), "together": lambda: together(clips)}
    )
    rows = [[f"{count} x 1 min, whole chain", name, f"{took:.1f} s"] for name, took in ahead.items()]
    rows += [[f"{len(clips)} x {CLIP_SECONDS} s, recognized", name, f"{took:.1f} s"] for name, took in batches.items()]
    figures = {
        "overlap.ahead_ratio": ahead["in turn"] / ahead["default"],
        "overlap.all_ahead_ratio": ahead["in turn"] / ahead["all ahead"],
        "overlap.together_ratio": batches["one by one"] / batches["together"],
        "overlap.same_text": float(same_chain and same_clips),
    }
    goal = {"overlap.ahead_ratio": ">= 1", "overlap.together_ratio": ">= 1", "overlap.same_text": ">= 1"}
    print_report("overlap", ["files", "how", "median"], rows, figures, goal)


if __name__ == "__main__":
    main(*(int(given) for given in (sys.argv[1:] + ["2", "8"][len(sys.argv) - 1 :])))
