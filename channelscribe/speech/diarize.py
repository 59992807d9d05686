"""Speech track to speaker turns: who speaks when.

Needs the extra `speech` and a diarizer (the sample's, or pyannote's from the hub with a token). Leaves
nothing behind; the answer is JSON (the checkpoint of the stage `diarize`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import SpeechFailed
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.loading import Loaded, load_diarizer
from channelscribe.speech.recognize import Progress
from channelscribe.speech.registry import ResolvedModel

__all__ = ["diarize", "name_speakers"]

_SHORTEST_SECONDS = 0.5  # nothing shorter has two speakers, and embeddings need some of it


def diarize(
    audio: NDArray[np.float32], model: ResolvedModel, options: SpeechOptions, progress: Progress | None = None
) -> dict[str, Any]:
    """Finds the speakers of mono float32 audio at 16 kHz.

    Returns {"turns": [{"start", "end", "speaker"}], "speakers": [...], "diarizer": fingerprint or None};
    seconds, turns by start, speakers SPEAKER_00, SPEAKER_01, ... in the order in which they first speak.
    `diarizer` is None when there is none or `options` switch it off. Raises ModelUnavailable, ModelTampered,
    and SpeechFailed when the engine does.
    """
    diarizer = load_diarizer(model, options) if options.diarize else None
    if diarizer is None or len(audio) < _SHORTEST_SECONDS * SAMPLE_RATE:
        turns = []
    else:
        try:
            turns = _turns(audio, diarizer, options, progress)
        except Exception as error:
            raise SpeechFailed(f"The diarizer failed: {type(error).__name__}: {error}") from error
    if progress:
        progress(1.0)
    return {
        "turns": turns,
        "speakers": list(dict.fromkeys(turn["speaker"] for turn in turns)),
        "diarizer": model.fingerprint(options)["diarizer"] if diarizer else None,
    }


def _turns(
    audio: NDArray[np.float32], diarizer: Loaded, options: SpeechOptions, progress: Progress | None
) -> list[dict[str, Any]]:
    with diarizer.lock:
        found = diarizer.engine(
            audio,
            min_speakers=options.min_speakers,
            max_speakers=options.max_speakers,
            progress_callback=(lambda percent: progress(percent / 100)) if progress else None,
        )
    return name_speakers(found[["start", "end", "speaker"]].to_dict("records"), len(audio) / SAMPLE_RATE)


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
