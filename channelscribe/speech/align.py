"""Raw segments to sentences whose every word has a time, and says whether it was measured or interpolated.

Needs the extra `speech` where there is an aligner. Leaves nothing behind; the answer is JSON (the checkpoint
of the stage `align`). No text is ever lost: where there is no aligner, or a segment cannot be aligned, the
segment keeps its times and its words are spread over it. Words, and where characters are known their times,
are those of `whisperx.align`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ModelUnavailable, SpeechFailed
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.alignment_tokens import Spelling, sentences, spell, timed_words
from channelscribe.speech.emissions import emissions
from channelscribe.speech.forced_alignment import narrow, token_spans
from channelscribe.speech.hub import default_aligner
from channelscribe.speech.loading import Loaded, load_aligner
from channelscribe.speech.memory import in_batches, is_out_of_memory
from channelscribe.speech.progress import Progress
from channelscribe.speech.quality_gate import coverage
from channelscribe.speech.registry import ResolvedModel
from channelscribe.speech.threads import in_threads
from channelscribe.speech.track import Samples, SpeechTrack, as_track, cut
from channelscribe.speech.word_times import complete_times, spread, words_of

__all__ = ["align"]

_log = logging.getLogger(__name__)

# Segments through the network at once. A CPU is busy with one, and padding and masks only cost it (a third more).
_BATCH = {"cpu": 1, "cuda": 32}
_RUN = 32  # segments whose audio and emissions are in memory at once

Words = list[dict[str, Any]]
Heard = tuple[NDArray[np.float32], NDArray[np.intp]]
"""An emission and the tokens in its columns."""


def align(
    audio: Samples | SpeechTrack,
    recognition: dict[str, Any],
    model: ResolvedModel,
    options: SpeechOptions,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Aligns what `recognize` returned with the same mono float32 audio at 16 kHz.

    Returns {"segments": [{"start", "end", "text", "avg_logprob", "flags", "words"}], "aligner": fingerprint or
    None, "note": why words were spread, or None, "quality": {"covered_seconds", "coverage" of the speech by words,
    0 to 1, "gaps": speech of a second or more without a word}}; a word is {"text", "start", "end", "score", "aligned"}.
    Segments are sentences, in order; words start in order, inside their segment, and `start <= end`. `aligner`
    is None when nothing was aligned: switched off, no speech, no aligner for the language, or one that is not
    to be had. Raises ModelTampered; an engine that fails on a segment only costs that segment its measured
    times.
    """
    segments, language = recognition["segments"], recognition["language"]
    aligner, why = _aligner(model, language, options, segments)
    track = as_track(audio)
    report = progress or (lambda _: None)
    aligned: list[dict[str, Any]] = []
    failures = 0
    for first in range(0, len(segments), _RUN):
        run = segments[first : first + _RUN]
        timed = _time_words(track, run, language, aligner, model) if aligner else [None] * len(run)
        for segment, words in zip(run, timed, strict=True):
            failures += words is None
            aligned += _spread_segment(segment, language) if words is None else _split(segment, words, language)
        report((first + len(run)) / len(segments))
    if aligner and failures:
        why = f"{failures} of {len(segments)} segments could not be aligned"
    return {
        "segments": aligned,
        "aligner": _fingerprint(model, language, options) if aligner else None,
        "note": why,
        "quality": _quality(recognition, aligned),
    }


def _fingerprint(model: ResolvedModel, language: str, options: SpeechOptions) -> dict[str, Any] | None:
    """As the registry tells it; WhisperX's own choice for the language by its name."""
    found = model.fingerprint(options)["aligner"]
    if found is None or model.aligner:
        return found
    return found | {"model": default_aligner(language), "revision": "main"}


def _quality(recognition: dict[str, Any], aligned: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How much of the speech that was heard is covered by words; nothing for recognitions that did not say."""
    if "speech" not in recognition:
        return {}
    words = [(word["start"], word["end"]) for part in aligned for word in part["words"]]
    covered, gaps = coverage(recognition["speech"], words)
    seconds = sum(end - start for start, end in recognition["speech"])
    return {
        "covered_seconds": round(covered, 3),
        "coverage": round(covered / seconds, 4) if seconds else None,
        "gaps": [list(gap) for gap in gaps],
    }


def _aligner(
    model: ResolvedModel, language: str, options: SpeechOptions, segments: Sequence[Any]
) -> tuple[Loaded | None, str | None]:
    """The aligner, or None and why not."""
    if not segments:
        return None, None
    if not options.align:
        return None, "alignment is switched off"
    try:
        found = load_aligner(model, language, options)
    except ModelUnavailable as error:
        if model.aligner:  # somebody chose it: to be told, not to be worked around
            raise
        _log.warning("words get no measured times: %s", error)
        return None, f"the aligner for the language {language!r} is not to be had: {error.message}"
    return found, None if found else f"no aligner for the language {language!r}"


def _time_words(
    track: SpeechTrack, run: Sequence[dict[str, Any]], language: str, aligner: Loaded, model: ResolvedModel
) -> list[Words | None]:
    """Each segment's words with their times; None where it could not be aligned."""
    network, metadata = aligner.engine
    dictionary = metadata["dictionary"]
    blank = next((code for name, code in dictionary.items() if name in ("[pad]", "<pad>")), 0)
    spellings = [spell(segment["text"], dictionary, language) for segment in run]
    clips = [cut(track, segment["start"], segment["end"]) for segment in run]
    heard = _hear(network, metadata["type"], clips, aligner, model, spellings, blank)
    there = [each for each in heard if each is not None]
    spans = iter(token_spans([emission for emission, _ in there], [tokens for _, tokens in there], blank=0))
    found: list[Words | None] = []
    for segment, spelling, each in zip(run, spellings, heard, strict=True):
        one = next(spans) if each else None
        if each is None or one is None:
            found.append(None)
            continue
        start, end = segment["start"], segment["end"]
        words = timed_words(spelling, one, start, (end - start) / len(each[0]))
        found.append(complete_times(words, start, end))
    return found


def _hear(
    network: Any,
    kind: str,
    clips: Sequence[Samples],
    aligner: Loaded,
    model: ResolvedModel,
    spellings: Sequence[Spelling],
    blank: int,
) -> list[Heard | None]:
    """Each clip's emission in the columns that its text needs; None where the network failed.

    On a GPU clips of like length share a batch, on a CPU each core takes one.
    """
    found: list[Heard | None] = [None] * len(clips)
    usable = [i for i in range(len(clips)) if len(clips[i]) and len(spellings[i].tokens)]

    def work(batch: Sequence[int]) -> Sequence[Heard | None]:
        emitted = _each(network, kind, [clips[i] for i in batch], model.device)
        return [
            None if emission is None else narrow(emission, spellings[i].tokens, blank)
            for i, emission in zip(batch, emitted, strict=True)
        ]

    order, size = sorted(usable, key=lambda i: len(clips[i])), _BATCH.get(model.device, 1)
    with aligner.lock:
        if size == 1:
            emitted = [each for (each,) in in_threads(lambda i: work([i]), order, model.threads)]
        else:
            emitted = list(in_batches(order, size, work))
    for i, each in zip(order, emitted, strict=True):
        found[i] = each
    return found


def _each(network: Any, kind: str, clips: Sequence[Samples], device: str) -> Iterator[NDArray[np.float32] | None]:
    """A batch together; where that fails each alone, so that one bad clip costs only itself."""
    try:
        yield from emissions(network, kind, clips, device)
    except Exception as error:  # torch raises whatever it likes; the text is worth more
        if is_out_of_memory(error) and len(clips) > 1:
            raise
        if len(clips) > 1:
            for clip in clips:
                yield from _each(network, kind, [clip], device)
            return
        _log.warning("a segment of %.2f s could not be aligned: %s", len(clips[0]) / SAMPLE_RATE, error)
        yield None


def _split(segment: dict[str, Any], words: Words, language: str) -> list[dict[str, Any]]:
    """The segment's sentences, each with its words."""
    parts, taken = [], 0
    for text, count in sentences(segment["text"], language):
        mine = words[taken : taken + count]
        taken += count
        if mine:
            parts.append(_part(segment, mine[0]["start"], max(word["end"] for word in mine), text.strip(), mine))
    return parts


def _spread_segment(segment: dict[str, Any], language: str) -> list[dict[str, Any]]:
    words = spread(words_of(segment["text"], language), segment["start"], segment["end"])
    if not words:
        raise SpeechFailed(f"The recognizer gave a segment without words at {segment['start']} s.")
    return [_part(segment, segment["start"], segment["end"], segment["text"], words)]


def _part(segment: dict[str, Any], start: float, end: float, text: str, words: Words) -> dict[str, Any]:
    return {
        "start": start,
        "end": end,
        "text": text,
        "avg_logprob": segment["avg_logprob"],
        "flags": list(segment.get("flags", [])),
        "words": words,
    }
