"""Speech track to speaker turns: who speaks when.

Needs the extra `speech` and a diarizer (the sample's, the open one, or pyannote's from the hub with a token). Leaves
nothing behind; the answer is JSON (the checkpoint of the stage `diarize`). A long recording is taken in windows
whose speakers are stitched by voice, so memory does not grow with its length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ChannelscribeError, SpeechFailed, machine_fault
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.loading import Loaded, load_diarizer
from channelscribe.speech.progress import Progress, share
from channelscribe.speech.registry import ResolvedModel
from channelscribe.speech.speaker_linking import space_windows
from channelscribe.speech.stitching import Stitcher, join_turns
from channelscribe.speech.track import Samples, SpeechTrack, as_track

__all__ = ["diarize", "name_speakers"]

_SHORTEST_SECONDS = 0.5  # nothing shorter has two speakers, and embeddings need some of it
_WINDOW_SECONDS = 1200  # about; a recording is divided equally, and one of less than half an hour is one window
_THRESHOLD = 0.7  # distance of voices where the pipeline does not tell its own


def diarize(
    audio: Samples | SpeechTrack, model: ResolvedModel, options: SpeechOptions, progress: Progress | None = None
) -> dict[str, Any]:
    """Finds the speakers of mono float32 audio at 16 kHz, whole or as a track that is read in windows.

    Returns {"turns": [{"start", "end", "speaker"}], "speakers": [...], "diarizer": fingerprint or None};
    seconds, turns by start, speakers SPEAKER_00, SPEAKER_01, ... in the order in which they first speak.
    `diarizer` is None when there is none or `options` switch it off. `max_speakers` and `min_speakers`
    hold for the whole, not for each window: not everybody speaks in each. Raises ModelUnavailable, ModelTampered,
    CorruptMedia, and SpeechFailed when the engine does.
    """
    diarizer = load_diarizer(model, options) if options.diarize else None
    track = as_track(audio)
    if diarizer is None or track.samples < _SHORTEST_SECONDS * SAMPLE_RATE:
        turns = []
    else:
        try:
            turns = _turns(track, diarizer, options, progress)
        except ChannelscribeError:
            raise
        except Exception as error:
            failed = SpeechFailed(f"The diarizer failed: {type(error).__name__}: {error}")
            raise machine_fault(error) or failed from error
    if progress:
        progress(1.0)
    return {
        "turns": turns,
        "speakers": list(dict.fromkeys(turn["speaker"] for turn in turns)),
        "diarizer": model.fingerprint(options)["diarizer"] if diarizer else None,
    }


def _turns(
    track: SpeechTrack, diarizer: Loaded, options: SpeechOptions, progress: Progress | None
) -> list[dict[str, Any]]:
    windows = max(1, round(track.samples / SAMPLE_RATE / _WINDOW_SECONDS))
    borders = [track.samples * i // windows for i in range(windows + 1)]
    least = options.min_speakers
    turns = _stitched(track, borders, diarizer, options, least if windows == 1 else None, progress)
    if windows > 1 and least and len({turn["speaker"] for turn in turns}) < least:
        # Not even each window's speakers alone make so many: then more of them must be told apart in each.
        turns = _stitched(track, borders, diarizer, options, least, None)
    joined = join_turns(turns, [border / SAMPLE_RATE for border in borders[1:-1]])
    return name_speakers(joined, track.samples / SAMPLE_RATE)


def _stitched(
    track: SpeechTrack,
    borders: Sequence[int],
    diarizer: Loaded,
    options: SpeechOptions,
    least: int | None,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """All windows' turns; `least` speakers in each, or None."""
    windows = len(borders) - 1
    stitcher = Stitcher(_threshold(diarizer.engine), options.max_speakers, options.min_speakers)
    for i in range(windows):
        first, last = borders[i], borders[i + 1]
        report = share(progress, i / windows, (i + 1) / windows) if progress else None
        found, voices = _window(track.read(first, last), diarizer, options, least, report)
        offset, end = first / SAMPLE_RATE, last / SAMPLE_RATE
        # the engine pads its last stretch
        moved = [turn | {"start": turn["start"] + offset, "end": min(turn["end"] + offset, end)} for turn in found]
        stitcher.add(moved, voices)
    return stitcher.turns()


def _window(
    audio: Samples, diarizer: Loaded, options: SpeechOptions, least: int | None, report: Progress | None
) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """One window's turns, and the embedding of each of its speakers."""
    with diarizer.lock:
        space_windows(diarizer.engine.model, options.diarize_step)
        found, embeddings = diarizer.engine(
            audio,
            min_speakers=least,
            max_speakers=options.max_speakers,
            return_embeddings=True,
            progress_callback=(lambda percent: report(percent / 100)) if report else None,
        )
    return found[["start", "end", "speaker"]].to_dict("records"), embeddings or {}


def _threshold(engine: Any) -> float:
    """The distance of unit vectors from which the pipeline itself takes two voices for two speakers."""
    clustering = engine.model.parameters(instantiated=True).get("clustering", {})
    threshold = float(clustering.get("threshold", _THRESHOLD))
    return math.sqrt(2 * threshold) if clustering.get("method") == "average" else threshold  # that one is of cosines


def name_speakers(turns: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Sorts turns, cuts them at the end of the audio, and names speakers by their order of appearance."""
    names: dict[str, str] = {}
    named = []
    for turn in sorted(turns, key=lambda turn: (turn["start"], turn["end"])):
        start, end = max(0.0, float(turn["start"])), min(float(turn["end"]), seconds)
        if start < end:
            speaker = names.setdefault(turn["speaker"], f"SPEAKER_{len(names):02d}")
            named.append({"start": round(start, 3), "end": round(end, 3), "speaker": speaker})
    return named
