"""Peak memory of the speech stages on one hour and on four, each in a process of its own.

    make bench NAME=memory

The audio is the sample channel's speech, tiled; the models are the sample's. Measured is the peak resident memory
of the process, Python, torch and models included:

- recognize: reading the FLAC in windows, voice activity, chunks, features of all of them; the first 32 chunks are
  decoded (one beam), the others get the first one's answer, because a batch takes what the batch before it took;
- align: reading, emissions, paths, words, on the script's own text in place of the recognizer's;
- whisperx: its `load_audio` and voice activity detector over the whole file, for comparison;
- diarize: one window against four; so that it can be waited for, windows are of 150 s here and not of 20 minutes.

The detector's windows are further apart than usual (2.5 s here, 5 s for whisperx): less time, and memory does not ask.
`python -m benchmarks.memory 0.25` takes a quarter of an hour and an hour.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile  # type: ignore[import-untyped]

from benchmarks.report import print_report
from benchmarks.sample_speech import segments_of, speech_of
from channelscribe.audio.speech_track import SAMPLE_RATE, read_speech
from channelscribe.sample import world
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech import diarize as diarizing
from channelscribe.speech.align import align
from channelscribe.speech.decoding import Clip, Decoder
from channelscribe.speech.engines import prepare_engines
from channelscribe.speech.quality_gate import Decoded
from channelscribe.speech.recognize import recognize
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.track import Samples, open_track

OPTIONS = SpeechOptions(model="sample", device="cpu", beam_size=1, vad_step=0.5)
DETECTOR_STEP = 5.0  # seconds
DECODED_CHUNKS = 32
DIARIZE_WINDOW = 150  # seconds
MEBIBYTE = 1 << 20


def write_track(path: Path, tile: Samples, hours: float) -> None:
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as track:
        left = int(hours * 3600 * SAMPLE_RATE)
        while left > 0:
            track.write(tile[:left])
            left -= len(tile)


def script_of(hours: float, tile_seconds: float, segments: list[dict[str, Any]]) -> dict[str, Any]:
    """What a perfect recognizer would return for a tiled track."""
    tiles = math.ceil(hours * 3600 / tile_seconds)
    tiled = [
        each | {"start": each["start"] + number * tile_seconds, "end": each["end"] + number * tile_seconds}
        for number in range(tiles)
        for each in segments
    ]
    return {"language": "en", "segments": [each for each in tiled if each["end"] <= hours * 3600]}


def whisperx_detector(path: Path) -> None:
    prepare_engines()
    from whisperx.vads import Pyannote

    vad = Pyannote("cpu", vad_onset=0.5, vad_offset=0.363)
    vad.vad_pipeline._segmentation.step = DETECTOR_STEP
    audio = read_speech(path)  # as whisperx.load_audio: the whole file as one float32 array
    scores = vad({"waveform": vad.preprocess_audio(audio), "sample_rate": SAMPLE_RATE})
    vad.merge_chunks(scores, 30, onset=0.5, offset=0.363)


def decode_only_the_first() -> None:
    """From DECODED_CHUNKS on features are still made, and thrown away."""
    hear, decode, attended = Decoder.hear, Decoder.decode, Decoder.attended
    answers: list[Decoded] = []

    def hear_or_not(decoder: Decoder, features: Sequence[Any]) -> Any:
        return hear(decoder, features) if len(answers) < DECODED_CHUNKS else None

    def decode_or_answer(decoder: Decoder, encoded: Any, count: int) -> list[Decoded]:
        if encoded is None:
            return answers[:1] * count
        answers.extend(decode(decoder, encoded, count))
        return answers[-count:]

    def attended_or_not(decoder: Decoder, encoded: Any, said: Sequence[Decoded], clips: Sequence[Clip]) -> Any:
        return [[]] * len(said) if encoded is None else attended(decoder, encoded, said, clips)

    Decoder.hear, Decoder.decode, Decoder.attended = hear_or_not, decode_or_answer, attended_or_not  # type: ignore


def run_stage(stage: str, path: Path, recognition: Path) -> None:
    """One stage, in the child process."""
    model = resolve_model(OPTIONS)
    if stage == "whisperx":
        return whisperx_detector(path)
    with open_track(path) as track:
        if stage == "recognize":
            decode_only_the_first()
            recognize(track, model, OPTIONS)
        elif stage == "align":
            align(track, json.loads(recognition.read_text()), model, OPTIONS)
        else:
            diarizing._WINDOW_SECONDS = DIARIZE_WINDOW
            diarizing.diarize(track, model, OPTIONS)
    return None


def peak_mebibytes(stage: str, path: Path, recognition: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", "--stage", stage, str(path), str(recognition)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{stage} failed: {done.stderr[-2000:]}")
    return float(done.stdout.splitlines()[-1])


def main(unit: float) -> None:
    episodes = [(speech_of(episode), segments_of(episode.script)) for episode in world.episodes()]
    tile = np.concatenate([audio for audio, _ in episodes])
    segments, offset = [], 0.0
    for audio, said in episodes:
        segments += [each | {"start": each["start"] + offset, "end": each["end"] + offset} for each in said]
        offset += len(audio) / SAMPLE_RATE
    peaks: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for part in (1, 4):
            for stage in ("recognize", "align", "diarize", "whisperx"):
                hours = part * (DIARIZE_WINDOW / 3600 if stage == "diarize" else unit)
                path, recognition = Path(folder) / f"{hours}.flac", Path(folder) / f"{hours}.json"
                if not path.exists():
                    write_track(path, tile, hours)
                    recognition.write_text(json.dumps(script_of(hours, offset, segments)))
                peaks.setdefault(stage, []).append(peak_mebibytes(stage, path, recognition))
                sys.stderr.write(f"{stage}, {hours:g} h: {peaks[stage][-1]:.0f} MiB\n")
    rows = [
        [stage, f"{one:.0f} MiB", f"{four:.0f} MiB", f"{four / one:.2f}", f"{four - one:+.0f} MiB"]
        for stage, (one, four) in peaks.items()
    ]
    ratios = {stage: four / one for stage, (one, four) in peaks.items()}
    figures = {
        "memory.four_hours_over_one": max(ratios["recognize"], ratios["align"]),
        "memory.diarize_four_windows_over_one": ratios["diarize"],
        "memory.whisperx_four_hours_over_one": ratios["whisperx"],
        "memory.recognize_mib": peaks["recognize"][1],
        "memory.align_mib": peaks["align"][1],
        "memory.whisperx_mib": peaks["whisperx"][1],
        "memory.hours": 4 * unit,
    }
    goal = {"memory.four_hours_over_one": "<= 1.2", "memory.diarize_four_windows_over_one": "<= 1.2"}
    heads = ["stage", f"{unit:g} h (diarize: 1 window)", f"{4 * unit:g} h (4 windows)", "ratio", "more"]
    print_report("memory", heads, rows, figures, goal)


if __name__ == "__main__":
    if "--stage" in sys.argv:
        at = sys.argv.index("--stage")
        run_stage(sys.argv[at + 1], Path(sys.argv[at + 2]), Path(sys.argv[at + 3]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEBIBYTE)
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
