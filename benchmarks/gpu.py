"""The speech stages on a GPU with networks of the real sizes, and how busy it is.

    make bench NAME=gpu                                    # weights drawn at random: nothing is fetched
    python -m benchmarks.gpu --device cpu --tiny           # small networks, to try the script without a GPU
    python -m benchmarks.gpu --recognizer large-v3-turbo   # real weights, from the hub or a folder

Without a GPU it says so and ends. Random weights say nonsense, so the decoder says a fixed number of tokens a chunk
(TOKENS, what thirty seconds of talk have) and the quality gate, which would rightly have all of it said again, is off:
times and memory are those of real weights, texts are not. The recognizer has large-v3-turbo's size, the aligner
wav2vec2-base's; detector and diarizer are the sample's. The audio is the sample channel's speech, repeated.

With real weights nothing is fixed and the gate is on. `--aligner` and `--diarizer` take hub ids or folders too; without
them WhisperX's choice for English and no diarizer. `speech.hub_token` is needed for pyannote's.

Real-time factors are seconds of audio for each second of work, more is faster. First the stages, one file after its
loading, and WhisperX's own pipeline on the same weights in turn with our recognition. Then the chain: one long file
(`hour`), eight files (`batch`), eight of four minutes (`short`); it has the next file decoded and heard while this one
is on the device, `in_turn` does one thing after the other. Busy is what nvidia-smi says, five times a second. Under
nine minutes: after LIMIT_SECONDS nothing is done a second time.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import soundfile  # type: ignore[import-untyped]

from benchmarks.random_models import REAL, TINY, random_models
from benchmarks.report import print_report
from benchmarks.whisperx import write_files
from channelscribe.settings.options import SpeechModel, SpeechOptions
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.speech import decoding
from channelscribe.speech.align import align
from channelscribe.speech.diarize import diarize
from channelscribe.speech.files import transcribe_files
from channelscribe.speech.loading import load_recognizer
from channelscribe.speech.recognize import recognize
from channelscribe.speech.registry import gpu_available, known_models, resolve_model
from channelscribe.speech.track import Samples

ROUNDS, LIMIT_SECONDS = 2, 330.0
CASES = {"hour": (60, 1), "batch": (10, 8), "short": (4, 8)}
"""Minutes and number of files, where a file of the stages has ten minutes."""
GOAL = {"gpu.hour_rtf": ">= 110", "gpu.batch_rtf": ">= 300", "gpu.short_over_batch": ">= 0.6"}
TOKENS = 110  # of thirty seconds of talk at 2.5 words a second
PROMPT_TOKENS = 3
LOOK_MILLISECONDS = 200


@contextmanager
def busy_share(device: str) -> Iterator[Callable[[], float]]:
    """Yields a function that tells the mean share of time that the device was busy since it was last asked, 0 to 1."""
    if device != "cuda":
        yield lambda: 0.0
        return
    seen: list[float] = []
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
    looking = subprocess.Popen([*command, f"-lms={LOOK_MILLISECONDS}"], stdout=subprocess.PIPE, text=True)

    def listen() -> None:
        for line in looking.stdout or ():
            if line.strip().isdigit():
                seen.append(int(line) / 100)

    def tell() -> float:
        mean = statistics.fmean(seen) if seen else 0.0
        seen.clear()
        return mean

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield tell
    finally:
        looking.kill()
        looking.wait()


def timed(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Median seconds over some rounds, fewer where time runs out, and the last answer."""
    seconds: list[float] = []
    answer: Any = None
    while not seconds or (len(seconds) < rounds and time.perf_counter() - BEGAN < LIMIT_SECONDS):
        started = time.perf_counter()
        answer = work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), answer


BEGAN = time.perf_counter()


def fix_tokens(options: SpeechOptions) -> None:
    """A fixed number of tokens a chunk, and no second tries."""
    load_recognizer(resolve_model(options), options).engine.model.max_length = TOKENS + PROMPT_TOKENS
    setattr(decoding, "flags", lambda *_: [])  # noqa: B010 - what the module imported


def run_chain(files: Sequence[Path], options: SpeechOptions, ahead_by: int) -> int:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        done = list(transcribe_files(files, Path(folder), options, ahead_by=ahead_by))
    failed = next((each.error for each in done if each.error), None)
    if failed:
        raise SystemExit(f"The chain failed: {failed}")
    return sum(len(each.transcript.words) for each in done if each.transcript)


def measure(options: SpeechOptions, folder: Path, minutes: int, rounds: int) -> None:
    model = resolve_model(options)
    audio: Samples = soundfile.read(write_files(folder, minutes, 1)[0], dtype="float32")[0]
    loaded = load_recognizer(model, options)
    rows, figures = [], {"gpu.batch_size": float(model.batch_size)}
    with busy_share(model.device) as busy:

        def note(name: str, work: Callable[[], Any], of: float) -> Any:
            busy()
            took, answer = timed(work, rounds)
            share = busy()
            # gpu.recognize_rtf, gpu.whisperx_rtf, gpu.hour_rtf, gpu.batch_rtf, gpu.short_rtf, …
            figures[f"gpu.{name}_rtf"], figures[f"gpu.{name}_busy"] = of / took, share
            rows.append([name, f"{took:.2f} s", f"{of / took:.1f}", f"{share:.0%}"])
            sys.stderr.write(f"{name}: {took:.2f} s\n")
            return answer

        def theirs() -> Any:
            with loaded.lock:
                return loaded.engine.transcribe(audio, batch_size=model.batch_size, language="en")

        seconds = 60.0 * minutes
        recognize(audio, model, options)  # the device's first kernels are not counted
        recognition = note("recognize", lambda: recognize(audio, model, options), seconds)
        note("whisperx", theirs, seconds)
        note("align", lambda: align(audio, recognition, model, options), seconds)
        note("diarize", lambda: diarize(audio, model, options), seconds)
        for name, (long, count) in CASES.items():
            length = max(1, round(long * minutes / 10))
            files, of = write_files(folder, length, count), 60.0 * length * count
            if name == "batch":
                note("in_turn", partial(run_chain, files, options, 0), of)
            note(name, partial(run_chain, files, options, 1), of)
    works = {name: 1 / figures[f"gpu.{name}_rtf"] for name in ("recognize", "align", "diarize")}
    figures |= {f"gpu.{name}_share": work / sum(works.values()) for name, work in works.items()}
    figures["gpu.recognize_over_whisperx"] = figures["gpu.recognize_rtf"] / figures["gpu.whisperx_rtf"]
    figures["gpu.overlap_ratio"] = figures["gpu.batch_rtf"] / figures["gpu.in_turn_rtf"]
    figures["gpu.short_over_batch"] = figures["gpu.short_rtf"] / figures["gpu.batch_rtf"]
    print_report("gpu", ["what", "median", "real-time factor", "device busy"], rows, figures, GOAL)


def main() -> None:
    told = argparse.ArgumentParser(description="Speech stages on a GPU with networks of the real sizes.")
    told.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="where to run (default: cuda)")
    told.add_argument("--tiny", action="store_true", help="small random networks")
    told.add_argument("--recognizer", help="real weights: a name of speech.models, a hub id or a folder")
    told.add_argument("--aligner", help="with --recognizer: hub id or folder")
    told.add_argument("--diarizer", help="with --recognizer: hub id or folder")
    told.add_argument("--minutes", type=int, default=10, help="length of a file; others in proportion (default: 10)")
    told.add_argument("--rounds", type=int, default=ROUNDS)
    given = told.parse_args()
    if given.device == "cuda" and not gpu_available():
        print("gpu: there is no GPU that torch can use here; nothing was measured (--device cpu --tiny tries it).")
        return
    base = SettingsRegistry().resolve().speech.model_copy(update={"device": given.device, "model": "measured"})
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        if given.recognizer:
            known = known_models(base).get(given.recognizer, SpeechModel(recognizer=given.recognizer, language="en"))
            chosen = {"aligner": given.aligner, "diarizer": given.diarizer}
            entry = known.model_copy(update={key: value for key, value in chosen.items() if value})
        else:
            size, kind = TINY if given.tiny else REAL, "float16" if given.device == "cuda" else "int8"
            entry = random_models(folder, size, kind)
        options = base.model_copy(update={"models": {**base.models, "measured": entry}})
        if not given.recognizer:
            fix_tokens(options)
        measure(options, folder, given.minutes, given.rounds)


if __name__ == "__main__":
    main()
