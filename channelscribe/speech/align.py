"""Raw segments to sentences whose every word has a time, and says whether it was measured or interpolated.

Needs the extra `speech` where there is an aligner. Leaves nothing behind; the answer is JSON (the checkpoint
of the stage `align`). No text is ever lost: where WhisperX cannot align a segment, or returns other words
than it was given, the segment keeps its times and its words are spread over it.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.errors import SpeechFailed
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.loading import Loaded, load_aligner
from channelscribe.speech.recognize import Progress
from channelscribe.speech.registry import ResolvedModel
from channelscribe.speech.word_times import complete_times, spread, words_of

__all__ = ["align"]

_log = logging.getLogger(__name__)


def align(
    audio: NDArray[np.float32],
    recognition: dict[str, Any],
    model: ResolvedModel,
    options: SpeechOptions,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Aligns what `recognize` returned with the same mono float32 audio at 16 kHz.

    Returns {"segments": [{"start", "end", "text", "avg_logprob", "words"}], "aligner": fingerprint or None,
    "note": why words were spread, or None}; a word is {"text", "start", "end", "score", "aligned"}. Segments
    are sentences, in order; words start in order, inside their segment, and `start <= end`. `aligner` is None
    when nothing was aligned: switched off, no speech, or no aligner for the language. Raises ModelUnavailable
    and ModelTampered; an engine that fails on a segment only costs that segment its measured times.
    """
    segments, language = recognition["segments"], recognition["language"]
    aligner = load_aligner(model, language, options) if options.align and segments else None
    report = progress or (lambda _: None)
    aligned: list[dict[str, Any]] = []
    failures = 0
    for number, segment in enumerate(segments, start=1):
        sentences = _align_segment(audio, segment, language, aligner, model.device) if aligner else None
        failures += sentences is None
        aligned += sentences or [_spread_segment(segment, language)]
        report(number / len(segments))
    return {
        "segments": aligned,
        "aligner": model.fingerprint(options)["aligner"] if aligner else None,
        "note": _note(options, language, aligner, failures, len(segments)),
    }


def _align_segment(
    audio: NDArray[np.float32], segment: dict[str, Any], language: str, aligner: Loaded, device: str
) -> list[dict[str, Any]] | None:
    """The segment's sentences with word times; None where WhisperX failed or lost or changed words."""
    import whisperx

    network, metadata = aligner.engine
    raw = {"start": segment["start"], "end": segment["end"], "text": segment["text"]}
    try:
        with aligner.lock:
            found = whisperx.align([raw], network, metadata, audio, device)["segments"]
    except Exception as error:  # torch, pandas and whisperx raise whatever they like; the text is worth more
        _log.warning("segment at %.1f s could not be aligned: %s", segment["start"], error)
        return None
    if [word["word"] for part in found for word in part["words"]] != words_of(segment["text"], language):
        return None
    words = complete_times([word for part in found for word in part["words"]], segment["start"], segment["end"])
    sentences, taken = [], 0
    for part in found:
        mine = words[taken : taken + len(part["words"])]
        taken += len(mine)
        if not mine:
            continue
        sentences.append(
            {
                "start": mine[0]["start"],
                "end": max(word["end"] for word in mine),
                "text": part["text"].strip(),
                "avg_logprob": segment["avg_logprob"],
                "words": mine,
            }
        )
    return sentences


def _spread_segment(segment: dict[str, Any], language: str) -> dict[str, Any]:
    words = spread(words_of(segment["text"], language), segment["start"], segment["end"])
    if not words:
        raise SpeechFailed(f"The recognizer gave a segment without words at {segment['start']} s.")
    return {key: segment[key] for key in ("start", "end", "text", "avg_logprob")} | {"words": words}


def _note(options: SpeechOptions, language: str, aligner: Loaded | None, failures: int, total: int) -> str | None:
    if not total or (aligner and not failures):
        return None
    if not options.align:
        return "alignment is switched off"
    if aligner is None:
        return f"no aligner for the language {language!r}"
    return f"{failures} of {total} segments could not be aligned"
